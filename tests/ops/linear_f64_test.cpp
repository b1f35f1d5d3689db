#include "tessera/ops.h"
#include "testing/gradcheck.h"
#include "testing/numbers.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using gradcheck::expect_gradients;
using gradcheck::scalar_of;
using testing::uniform;

TEST(LinearGradientTest, MatchesDifferencesInInputWeightAndBias) {
  const auto group = gradcheck::make_group(
      {{5, 3, uniform<real>(15, 1)}, {4, 3, uniform<real>(12, 2)}, {1, 4, uniform<real>(4, 3)}});
  const Tensor target = Tensor::from_host(5, 4, uniform<real>(20, 4));
  expect_gradients(*group, [&](const Pass& pass) {
    return scalar_of(linear(pass.parameter((*group)[0]), pass.parameter((*group)[1]),
                            pass.parameter((*group)[2])),
                     target);
  });
}

TEST(LinearGradientTest, MatchesDifferencesWithoutBias) {
  const auto group =
      gradcheck::make_group({{7, 2, uniform<real>(14, 1)}, {3, 2, uniform<real>(6, 2)}});
  const Tensor target = Tensor::from_host(7, 3, uniform<real>(21, 4));
  expect_gradients(*group, [&](const Pass& pass) {
    return scalar_of(linear(pass.parameter((*group)[0]), pass.parameter((*group)[1]), Var()),
                     target);
  });
}

TEST(LinearGradientTest, AddsUpWhereAWeightIsUsedTwice) {
  const auto group =
      gradcheck::make_group({{3, 3, uniform<real>(9, 1)}, {1, 3, uniform<real>(3, 2)}});
  const Var x(Tensor::from_host(4, 3, uniform<real>(12, 3)));
  const Tensor target = Tensor::from_host(4, 3, uniform<real>(12, 4));
  expect_gradients(*group, [&](const Pass& pass) {
    const Var weight = pass.parameter((*group)[0]), bias = pass.parameter((*group)[1]);
    return scalar_of(linear(linear(x, weight, bias), weight, bias), target);
  });
}

TEST(LinearGradientTest, IsExactWhereInputAndWeightAreOneParameter) {
  const auto group = gradcheck::make_group({{3, 3, uniform<real>(9, 1)}});
  const Tensor target = Tensor::from_host(3, 3, uniform<real>(9, 4));
  expect_gradients(*group, [&](const Pass& pass) {
    const Var both = pass.parameter((*group)[0]);
    return scalar_of(linear(both, both, Var()), target);
  });
}

TEST(LinearGradientTest, ReachesOnlyWhatIsOnTheTape) {
  const auto group = gradcheck::make_group({{2, 3, uniform<real>(6, 2)}});
  const Var x(Tensor::from_host(4, 3, uniform<real>(12, 1)));
  const Var bias(Tensor::from_host(1, 2, uniform<real>(2, 3)));
  const Tensor target = Tensor::from_host(4, 2, uniform<real>(8, 4));
  expect_gradients(*group, [&](const Pass& pass) {
    return scalar_of(linear(x, pass.parameter((*group)[0]), bias), target);
  });
}

TEST(LinearTransposedGradientTest, MatchesDifferencesInInputAndWeight) {
  const auto group =
      gradcheck::make_group({{5, 3, uniform<real>(15, 1)}, {3, 4, uniform<real>(12, 2)}});
  const Tensor target = Tensor::from_host(5, 4, uniform<real>(20, 4));
  expect_gradients(*group, [&](const Pass& pass) {
    return scalar_of(linear_transposed(pass.parameter((*group)[0]), pass.parameter((*group)[1])),
                     target);
  });
}

TEST(LinearTransposedGradientTest, AddsUpInATiedWeight) {
  const auto group = gradcheck::make_group({{2, 4, uniform<real>(8, 2)}});
  const Var x(Tensor::from_host(5, 4, uniform<real>(20, 3)));
  const Tensor target = Tensor::from_host(5, 4, uniform<real>(20, 4));
  expect_gradients(*group, [&](const Pass& pass) {
    const Var weight = pass.parameter((*group)[0]);
    return scalar_of(linear_transposed(linear(x, weight, Var()), weight), target);
  });
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
