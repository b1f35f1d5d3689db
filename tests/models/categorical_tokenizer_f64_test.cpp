#include "tessera/models/categorical_tokenizer.h"
#include "testing/gradcheck.h"
#include "testing/numbers.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

/// Every loss of a model whose categories are given.
std::vector<std::string_view> fixed_losses() {
  std::vector<std::string_view> names = loss_names();
  names.resize(names.size() - assignment_loss_names().size());
  return names;
}

using testing::uniform;

constexpr int64_t kRows = 11;
// Rows with the same code have distance 0 and a corner there, which differences see with an error of the
// order of their step.
constexpr double kStep = 1e-7, kTolerance = 4e-6;

/// Three categories of unequal width, two levels; small, without dropout.
CategoricalOptions small_options() {
  const auto level = [](int64_t dim, int64_t size) { return LevelSize{dim, size}; };
  return {.categories = {{"wind", 4, {level(4, 4), level(3, 3)}},
                         {"rain", 1, {level(3, 2), level(4, 5)}},
                         {"sun", 3, {level(5, 6), level(3, 2)}}},
          .embedding_dim = 5,
          .hidden_dim = 6,
          .decoder_hidden = 7,
          .partial_hidden = 4,
          .dropout = 0,
          .activation = "tanh",  // no corners for differences to step over
          .topographic_samples = 8};
}

/// The gradient of the whole model with every loss on, codes and what stop_gradient cuts off held.
class CategoricalGradientTest : public ::testing::Test {
 protected:
  explicit CategoricalGradientTest(CategoricalOptions options = small_options())
      : model_(options, {.kind = "gradient", .dead_code = {.enabled = false}, .seed = 3}, {}) {
    const Tensor z = model_.encode({}, Var(x_)).value();
    model_.quantizer().initialize(z);
    const TokenizerOutput out = model_.forward({}, Var(x_));
    codes_ = out.code.codes;
    z_ = Tensor::from_host(kRows, z.cols(), z.to_host());
    q_ = Tensor::from_host(kRows, z.cols(), out.code.quantized.value().to_host());
  }

  Var total(const LossInputs& in) {
    Var sum;
    real weight = real(1);
    for (const std::string_view name : fixed_losses()) {
      const Var loss = loss_named(name)(in);
      sum = sum.is_null() ? loss : add(sum, loss, 1, weight);
      weight *= real(0.8);
    }
    return sum;
  }
  Var loss(const Pass& pass) {
    const Var x(x_);
    return total(model_.loss_inputs(model_.forward(pass, x), x, pass));
  }
  /// The function whose slope the estimators define: z + (q - z0) behind the quantizer, fixed codes,
  /// fixed z0 and q0 where a loss stops the gradient.
  Var differentiated(const Pass& pass) {
    const Var x(x_);
    const Var z = model_.encode(pass, x);
    const Var shift = add(Var(q_), Var(z_), 1, -1);
    const Var passed = add(z, shift);
    const Var rows(model_.quantizer().lookup(codes_, kRows));
    LossInputs in{.prediction = model_.decode(pass, passed),
                  .target = x,
                  .latents = z,
                  .quantized = rows,
                  .passed = passed,
                  .partial = model_.decode_parts(pass, passed),
                  .codebooks = model_.quantizer().codebooks_on(pass),
                  .context = model_.loss_context()};
    Var sum;
    real weight = real(1);
    for (const std::string_view name : fixed_losses()) {
      LossInputs held = in;
      if (name == "codebook") held.latents = Var(z_);
      if (name == "commitment") held.quantized = Var(q_);
      // Codebooks are constants of the entropy, by definition.
      if (name == "entropy") held.codebooks = Var(books_.is_null() ? fix_books() : books_);
      const Var one = loss_named(name)(held);
      sum = sum.is_null() ? one : add(sum, one, 1, weight);
      weight *= real(0.8);
    }
    return sum;
  }
  Tensor fix_books() {
    Tensor& books = model_.quantizer().codebooks();
    return books_ = Tensor::from_host(1, books.size(), books.to_host());
  }

  Tensor x_ = Tensor::from_host(kRows, 8, uniform<real>(kRows * 8, 1, -2, 2));
  CategoricalTokenizer model_;
  Buffer<int32_t> codes_;
  Tensor z_, q_, books_;
};

TEST_F(CategoricalGradientTest, OfModelAndCodebooksMatchDifferencesWithEveryLossOn) {
  fix_books();
  const auto body = [this](const Pass& pass) { return loss(pass); };
  gradcheck::Options options{.differentiated = [this](const Pass& p) { return differentiated(p); },
                             .tolerance = kTolerance,
                             .step = kStep};
  gradcheck::expect_gradients(model_.model_group(), body, options);
  gradcheck::expect_gradients(model_.codebook_group(), body, options);
}

CategoricalOptions residual_options() {
  CategoricalOptions options = small_options();
  options.residual_sizes = {6, 5};
  return options;
}

class ResidualDecoderGradientTest : public CategoricalGradientTest {
 protected:
  ResidualDecoderGradientTest() : CategoricalGradientTest(residual_options()) {}
};

TEST_F(ResidualDecoderGradientTest, MatchesDifferences) {
  fix_books();
  gradcheck::expect_gradients(
      model_.model_group(), [this](const Pass& pass) { return loss(pass); },
      {.differentiated = [this](const Pass& p) { return differentiated(p); },
       .tolerance = kTolerance,
       .step = kStep});
}

TEST(CategoricalTokenizerTest, PartsSeeTheirOwnCodebookAlone) {
  CategoricalTokenizer model(small_options(), {.codebook_init = "normal", .seed = 5}, {});
  model.quantizer().initialize(Tensor::from_host(2, 22, uniform<real>(44, 1)));
  const std::vector<real> base = uniform<real>(22, 2);
  std::vector<real> changed = base;
  changed[4] += 1;  // the second level of the first category: latent columns 4 to 6
  const auto parts = [&](const std::vector<real>& q) {
    return model.decode_parts({}, Var(Tensor::from_host(1, 22, q))).value().to_host();
  };
  const std::vector<real> before = parts(base), after = parts(changed);
  ASSERT_EQ(before.size(), 2u * 8u);  // levels x features
  // Category wind has 4 features: columns 0-3 are its level 0, 4-7 its level 1.
  for (size_t i = 0; i < before.size(); ++i)
    EXPECT_EQ(before[i] != after[i], i >= 4 && i < 8) << "column " << i;
}

TEST(CategoricalTokenizerTest, CodebooksAreCategoryMajor) {
  CategoricalTokenizer model(small_options(), {.codebook_init = "normal"}, {});
  std::vector<int32_t> sizes;
  for (const kernels::VqGroup& group : model.quantizer().table().groups())
    sizes.push_back(group.codebook_size);
  EXPECT_EQ(sizes, (std::vector<int32_t>{4, 3, 2, 5, 6, 2}));
}

TEST(CategoricalTokenizerTest, WeightsOfTheLossesAreMeans) {
  CategoricalTokenizer model(small_options(), {.codebook_init = "normal"}, {});
  const auto sum = [](const Tensor& weights) {
    double total = 0;
    for (const real weight : weights.to_host()) total += double(weight);
    return total;
  };
  EXPECT_NEAR(sum(model.loss_context()->feature_weight), 1, 1e-12);
  EXPECT_NEAR(sum(model.loss_context()->latent_weight), 1, 1e-12);
  EXPECT_NEAR(sum(model.loss_context()->partial_weight), 1, 1e-12);
}

TEST(CategoricalTokenizerTest, UnequalLevelsAreRefusedByName) {
  CategoricalOptions options = small_options();
  options.categories[1].levels.pop_back();
  try {
    CategoricalTokenizer model(options, {}, {});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config);
    EXPECT_NE(std::string(error.what()).find("category rain has 1 levels, wind has 2"),
              std::string::npos)
        << error.what();
  }
}

TEST(CategoricalTokenizerTest, OneOfEverythingIsEnough) {
  CategoricalTokenizer model({.categories = {{"only", 1, {LevelSize{1, 1}}}}}, {}, {});
  const Tensor x = Tensor::from_host(1, 1, std::vector<real>{real(0.5)});
  model.quantizer().initialize(model.encode({}, Var(x)).value());
  EXPECT_EQ(model.forward({}, Var(x)).code.codes.to_host(), std::vector<int32_t>{0});
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
