#include "tessera/ops.h"
#include "testing/gradcheck.h"
#include "testing/numbers.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using gradcheck::expect_gradients;
using gradcheck::Options;
using gradcheck::scalar_of;
using testing::uniform;

constexpr int64_t kRows = 6, kCols = 5;
constexpr real kEpsilon = real(1e-5);

BatchStatistics running_statistics() {
  return {Tensor::from_host(1, kCols, uniform<real>(kCols, 8)),
          Tensor::from_host(1, kCols, uniform<real>(kCols, 9, 0.5, 2))};
}

/// Input, gain and shift.
std::unique_ptr<ParameterGroup> make_leaves() {
  return gradcheck::make_group({{kRows, kCols, uniform<real>(kRows * kCols, 1, -2, 3)},
                                {1, kCols, uniform<real>(kCols, 2, 0.5, 1.5)},
                                {1, kCols, uniform<real>(kCols, 3)}});
}

class NormGradientTest : public ::testing::Test {
 protected:
  using Norm = std::function<Var(const Var& x, const Var& gain, const Var& shift)>;
  void expect_gradients_of(const Norm& norm) {
    const auto group = make_leaves();
    expect_gradients(*group, [&](const Pass& pass) {
      return scalar_of(norm(pass.parameter((*group)[0]), pass.parameter((*group)[1]),
                            pass.parameter((*group)[2])),
                       target_);
    });
  }
  Var layer(const Var& x, const Var& gain, const Var& shift) {
    return layer_norm(x, gain, shift, kEpsilon);
  }
  Var batch(const Var& x, const Var& gain, const Var& shift, bool training) {
    return batch_norm(x, gain, shift, running_, kEpsilon, real(0.1), training);
  }
  BatchStatistics running_ = running_statistics();
  Tensor target_ = Tensor::from_host(kRows, kCols, uniform<real>(kRows* kCols, 4));
};

TEST_F(NormGradientTest, LayerNormMatchesDifferences) {
  expect_gradients_of([&](auto& x, auto& gain, auto& shift) { return layer(x, gain, shift); });
}

TEST_F(NormGradientTest, BatchNormInTrainingMatchesDifferences) {
  expect_gradients_of(
      [&](auto& x, auto& gain, auto& shift) { return batch(x, gain, shift, true); });
}

TEST_F(NormGradientTest, BatchNormInEvaluationMatchesDifferences) {
  expect_gradients_of(
      [&](auto& x, auto& gain, auto& shift) { return batch(x, gain, shift, false); });
}

TEST_F(NormGradientTest, TwoUsesOfGainAndShiftAddUp) {
  expect_gradients_of([&](auto& x, auto& gain, auto& shift) {
    return add(layer(x, gain, shift), batch(x, gain, shift, true), 1, real(0.5));
  });
}

TEST_F(NormGradientTest, ASharedShiftWithTwoGainsAddsUp) {
  const auto group = make_leaves();
  const Var constant(Tensor::from_host(kRows, kCols, uniform<real>(kRows * kCols, 5)));
  for (const bool gain_first : {false, true})
    expect_gradients(*group, [&](const Pass& pass) {
      const Var x = pass.parameter((*group)[0]), a = pass.parameter((*group)[1]),
                b = pass.parameter((*group)[2]);
      // One parameter is shared by both norms, as shift or as gain; the other has one use in each.
      const Var first = gain_first ? layer(x, a, a) : layer(x, a, b);
      const Var second = gain_first ? batch(constant, a, b, true) : batch(constant, b, b, true);
      return scalar_of(add(first, second), target_);
    });
}

TEST_F(NormGradientTest, ReachesTheInputAloneWhereGainAndShiftAreConstants) {
  const auto group = gradcheck::make_group({{kRows, kCols, uniform<real>(kRows * kCols, 1)}});
  const Var gain(Tensor::from_host(1, kCols, uniform<real>(kCols, 2)));
  const Var shift(Tensor::from_host(1, kCols, uniform<real>(kCols, 3)));
  expect_gradients(*group, [&](const Pass& pass) {
    const Var x = pass.parameter((*group)[0]);
    return scalar_of(add(layer(x, gain, shift), batch(x, gain, shift, true)), target_);
  });
}

TEST_F(NormGradientTest, ReachesGainAndShiftAloneWhereTheInputIsConstant) {
  const auto group = gradcheck::make_group(
      {{1, kCols, uniform<real>(kCols, 2)}, {1, kCols, uniform<real>(kCols, 3)}});
  const Var x(Tensor::from_host(kRows, kCols, uniform<real>(kRows * kCols, 1)));
  expect_gradients(*group, [&](const Pass& pass) {
    const Var gain = pass.parameter((*group)[0]), shift = pass.parameter((*group)[1]);
    return scalar_of(add(layer(x, gain, shift), batch(x, gain, shift, false)), target_);
  });
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
