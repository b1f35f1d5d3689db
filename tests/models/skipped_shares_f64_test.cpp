// Features that categories leave out: what changes, and what does not.

#include "tessera/models/categorical_tokenizer.h"
#include "testing/gradcheck.h"
#include "testing/numbers.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

constexpr int64_t kRows = 9, kFeatures = 8, kCategories = 4, kLevels = 2;
/// Two families of two categories each.
constexpr int32_t kCategoryOf[kFeatures] = {0, 1, 0, 0, 2, 3, 2, 3};

class SkippedSharesTest : public ::testing::Test {
 protected:
  static CategoricalOptions options() {
    CategoricalOptions all{.embedding_dim = 5, .hidden_dim = 6, .partial_hidden = 3, .dropout = 0};
    for (int k = 0; k < kCategories; ++k)
      all.categories.push_back({"k" + std::to_string(k), 2, {LevelSize{4, 4}, LevelSize{3, 3}}});
    all.assignment.families = {{.features = 4, .categories = 2}, {.features = 4, .categories = 2}};
    CategoryFamily::pack(all.assignment.families);
    return all;
  }
  SkippedSharesTest() {
    model_.quantizer().initialize(model_.encode({}, Var(x_)).value());
    learned().set_evaluation(1, false);
  }
  LearnedAssignment& learned() { return *model_.learned(); }
  /// Logits of +half at a feature's category, -half elsewhere.
  void write_logits(real half) {
    std::vector<real> logits(size_t{kFeatures * kCategories}, -half);
    for (size_t i = 0; i < size_t{kFeatures}; ++i)
      logits[i * kCategories + size_t(kCategoryOf[i])] = half;
    learned().write_logits(logits);
    learned().keep_epoch_logits();
  }
  Var loss(const Pass& pass) {
    const Var x(x_);
    const LossInputs in = model_.loss_inputs(model_.forward(pass, x), x, pass);
    return add(loss_named("reconstruction")(in), loss_named("informativeness")(in));
  }
  double value() { return double(loss({}).value().to_host()[0]); }
  /// The loss and the gradients of all parameters.
  std::vector<real> everything() {
    std::vector<real> all;
    for (ParameterGroup* group : {&model_.model_group(), &model_.assignment_group()}) {
      gradcheck::run_backward(*group, [this](const Pass& pass) { return loss(pass); }, {});
      for (const Parameter& parameter : group->parameters()) {
        const std::vector<real> grad = parameter.grad.to_host();
        all.insert(all.end(), grad.begin(), grad.end());
      }
    }
    all.push_back(real(value()));
    return all;
  }

  Tensor x_ =
      Tensor::from_host(kRows, kFeatures, testing::uniform<real>(kRows* kFeatures, 1, -2, 2));
  CategoricalTokenizer model_{options(), {.seed = 3}, {}};
};

TEST_F(SkippedSharesTest, OfZeroChangeNothing) {
  write_logits(400);
  const std::vector<real> before = everything();
  learned().skip_below(1e-4);
  ASSERT_EQ(learned().parts().columns(), kLevels * kFeatures);
  const std::vector<real> after = everything();
  ASSERT_EQ(after.size(), before.size());
  for (size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(after[i], before[i], 1e-12) << i;
}

TEST_F(SkippedSharesTest, OfSomethingChangeTheLossByAboutThatMuch) {
  write_logits(6);  // the other category of a family has a share of 6e-6
  const double before = value();
  learned().skip_below(1e-4);
  const double by = std::abs(value() - before) / before;
  EXPECT_GT(by, 1e-9);
  EXPECT_LT(by, 1e-3);
}

TEST_F(SkippedSharesTest, OwnDecodersGiveTheFeaturesOfTheirCategoryAlone) {
  write_logits(6);
  const Tensor q =
      Tensor::from_host(1, 7 * kCategories, testing::uniform<real>(7 * kCategories, 2));
  const std::vector<real> all = model_.decode_parts({}, Var(q)).value().to_host();
  ASSERT_EQ(all.size(), size_t{kCategories * kLevels * 4});
  learned().skip_below(1e-4);
  const std::vector<real> some = model_.decode_parts({}, Var(q)).value().to_host();
  const std::vector<int32_t> features = learned().parts().features().to_host();
  ASSERT_EQ(some.size(), features.size());
  size_t p = 0;
  for (int32_t k = 0; k < kCategories; ++k)
    for (int64_t l = 0; l < kLevels; ++l)
      for (int32_t i = 0; i < kFeatures; ++i) {
        if (kCategoryOf[i] != k) continue;
        EXPECT_EQ(features[p], i);
        EXPECT_EQ(some[p++], all[size_t((k * kLevels + l) * 4 + i % 4)]);
      }
  learned().skip_below(0);
  EXPECT_EQ(model_.decode_parts({}, Var(q)).value().to_host(), all);
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
