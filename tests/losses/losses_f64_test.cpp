#include <map>

#include "tessera/loss.h"
#include "testing/gradcheck.h"
#include "testing/numbers.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using testing::uniform;

constexpr int64_t kRows = 4, kFeatures = 5, kColumns = 3;

/// The gradient of a loss may stop at some of its inputs; the rest are checked by differences.
struct Stops {
  bool target = false, latents = false, quantized = false;
};

class LossTest : public ::testing::TestWithParam<std::string_view> {
 protected:
  /// Prediction, target, latents, quantized.
  std::unique_ptr<ParameterGroup> group_ =
      gradcheck::make_group({{kRows, kFeatures, uniform<real>(kRows* kFeatures, 1)},
                             {kRows, kFeatures, uniform<real>(kRows* kFeatures, 2)},
                             {kRows, kColumns, uniform<real>(kRows* kColumns, 3)},
                             {kRows, kColumns, uniform<real>(kRows* kColumns, 4)}});
  Tensor initial(size_t i) {
    return Tensor::from_host((*group_)[i].value.rows(), (*group_)[i].value.cols(),
                             (*group_)[i].value.to_host());
  }
  Var loss(const Pass& pass) {
    const auto leaf = [&](size_t i) { return pass.parameter((*group_)[i]); };
    return loss_named(GetParam())({leaf(0), leaf(1), leaf(2), leaf(3)});
  }
};
/// The others need a model with categories: tests/models/categorical_tokenizer_f64_test.cpp.
INSTANTIATE_TEST_SUITE_P(, LossTest, ::testing::Values("reconstruction", "codebook", "commitment"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(LossTest, GradientMatchesDifferences) {
  // Inputs behind a stop_gradient are held at their values while differences are taken.
  const std::map<std::string_view, Stops> stops = {{"codebook", {.latents = true}},
                                                   {"commitment", {.quantized = true}}};
  const Stops stop = stops.contains(GetParam()) ? stops.at(GetParam()) : Stops{};
  std::vector<Var> held;
  for (size_t i = 0; i < 4; ++i) held.push_back(Var(initial(i)));
  const auto differentiated = [&](const Pass& pass) {
    const auto leaf = [&](size_t i, bool stopped) {
      return stopped ? held[i] : pass.parameter((*group_)[i]);
    };
    return loss_named(GetParam())(
        {leaf(0, false), leaf(1, stop.target), leaf(2, stop.latents), leaf(3, stop.quantized)});
  };
  gradcheck::expect_gradients(*group_, [&](const Pass& pass) { return loss(pass); },
                              {.differentiated = differentiated});
}

TEST_P(LossTest, IsOneNumberAtLeastZero) {
  run_step({}, [&] {
    const Tensor value = loss({}).value();
    ASSERT_EQ(value.size(), 1);
    EXPECT_GT(value.to_host()[0], 0);
  });
}

TEST_P(LossTest, DoesNotGrowWithTheNumberOfRows) {
  const auto at = [&](int64_t copies) {
    const auto stack = [&](size_t i) {
      std::vector<real> once = initial(i).to_host(), all;
      for (int64_t copy = 0; copy < copies; ++copy) all.insert(all.end(), once.begin(), once.end());
      return Var(Tensor::from_host(copies * kRows, (*group_)[i].value.cols(), all));
    };
    return loss_named(GetParam())({stack(0), stack(1), stack(2), stack(3)}).value().to_host()[0];
  };
  EXPECT_NEAR(at(3), at(1), 1e-14);
}

double mean_square(const std::vector<real>& a, const std::vector<real>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
  return sum / double(a.size());
}

TEST(LossValueTest, AreTheMeansOfTheirDefinition) {
  const auto p = uniform<real>(20, 1), t = uniform<real>(20, 2), z = uniform<real>(12, 3),
             q = uniform<real>(12, 4);
  const LossInputs in = {Var(Tensor::from_host(4, 5, p)), Var(Tensor::from_host(4, 5, t)),
                         Var(Tensor::from_host(4, 3, z)), Var(Tensor::from_host(4, 3, q))};
  EXPECT_NEAR(reconstruction_loss(in).value().to_host()[0], mean_square(p, t), 1e-14);
  EXPECT_NEAR(codebook_loss(in).value().to_host()[0], mean_square(z, q), 1e-14);
  EXPECT_NEAR(commitment_loss(in).value().to_host()[0], mean_square(z, q), 1e-14);
}

TEST(LossNameTest, AnUnknownNameIsRefusedWithTheKnownOnes) {
  try {
    loss_named("recon");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config);
    for (const std::string_view name : loss_names())
      EXPECT_NE(std::string_view(error.what()).find(name), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
