#include "tessera/ops.h"
#include "testing/gradcheck.h"
#include "testing/numbers.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using gradcheck::expect_gradients;
using testing::uniform;

TEST(MeanSquaredErrorGradientTest, MatchesDifferencesInBothOperands) {
  const auto group =
      gradcheck::make_group({{3, 4, uniform<real>(12, 1)}, {3, 4, uniform<real>(12, 2)}});
  expect_gradients(*group, [&](const Pass& pass) {
    return mean_squared_error(pass.parameter((*group)[0]), pass.parameter((*group)[1]));
  });
}

TEST(MeanSquaredErrorGradientTest, ReachesTheTargetAlone) {
  const auto group = gradcheck::make_group({{3, 4, uniform<real>(12, 1)}});
  const Var prediction(Tensor::from_host(3, 4, uniform<real>(12, 2)));
  expect_gradients(*group, [&](const Pass& pass) {
    return mean_squared_error(prediction, pass.parameter((*group)[0]));
  });
}

TEST(MeanSquaredErrorGradientTest, IsZeroBetweenAValueAndItself) {
  const auto group = gradcheck::make_group({{3, 4, uniform<real>(12, 1)}});
  expect_gradients(*group, [&](const Pass& pass) {
    const Var x = pass.parameter((*group)[0]);
    return mean_squared_error(x, x);
  });
}

TEST(MeanSquaredErrorGradientTest, ScalesWithItsWeightInTheTotal) {
  const auto group = gradcheck::make_group({{2, 2, uniform<real>(4, 1)}});
  const Var target(Tensor::from_host(2, 2, uniform<real>(4, 2)));
  const auto gradient = [&](real weight) {
    run_step({}, [&] {
      Tape tape;
      tape.backward({{mean_squared_error(tape.parameter((*group)[0]), target), weight}});
    });
    return (*group)[0].grad.to_host();
  };
  std::vector<double> expected;
  for (const real value : gradient(1)) expected.push_back(-3 * value);
  testing::expect_close(gradient(-3), expected, 1e-15);
}

TEST(MeanSquaredErrorTest, RefusesDifferentShapes) {
  EXPECT_THROW(mean_squared_error(Var(Tensor::zeros(2, 3, {})), Var(Tensor::zeros(3, 2, {}))),
               Error);
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
