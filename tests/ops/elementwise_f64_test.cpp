#include "tessera/kernels/philox.h"
#include "tessera/ops.h"
#include "testing/gradcheck.h"
#include "testing/numbers.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using gradcheck::expect_gradients;
using gradcheck::scalar_of;
using testing::uniform;
using testing::uniform_off_zero;

class ActivationGradientTest : public ::testing::TestWithParam<UnaryOp> {};
INSTANTIATE_TEST_SUITE_P(, ActivationGradientTest, ::testing::ValuesIn(kernels::kUnaryOps),
                         [](const auto& info) { return std::string(name_of(info.param)); });

TEST_P(ActivationGradientTest, MatchesDifferencesAwayFromKinks) {
  std::vector<real> x = uniform_off_zero<real>(40, 1);
  for (real& value : x) value *= 4;  // into the flat ends of tanh and sigmoid
  const auto group = gradcheck::make_group({{8, 5, x}});
  const Tensor target = Tensor::from_host(8, 5, uniform<real>(40, 2));
  expect_gradients(*group, [&](const Pass& pass) {
    return scalar_of(activation(GetParam(), pass.parameter((*group)[0])), target);
  });
}

TEST_P(ActivationGradientTest, AddsToWhatAnotherUseLeft) {
  const auto group = gradcheck::make_group({{2, 3, uniform_off_zero<real>(6, 1)}});
  const Tensor target = Tensor::from_host(2, 3, uniform<real>(6, 2));
  expect_gradients(*group, [&](const Pass& pass) {
    const Var x = pass.parameter((*group)[0]);
    return scalar_of(add(activation(GetParam(), x), x, 2, 3), target);
  });
}

TEST(ActivationTest, ReluHasNoGradientAtZero) {
  const auto group = gradcheck::make_group({{1, 1, {0}}});
  gradcheck::run_backward(
      *group,
      [&](const Pass& pass) { return activation(UnaryOp::Relu, pass.parameter((*group)[0])); }, {});
  EXPECT_EQ((*group)[0].grad.to_host()[0], 0);
}

TEST(AddGradientTest, MatchesDifferencesInBothOperands) {
  const auto group =
      gradcheck::make_group({{3, 4, uniform<real>(12, 1)}, {3, 4, uniform<real>(12, 2)}});
  const Tensor target = Tensor::from_host(3, 4, uniform<real>(12, 3));
  expect_gradients(*group, [&](const Pass& pass) {
    return scalar_of(add(pass.parameter((*group)[0]), pass.parameter((*group)[1]), real(0.5), -2),
                     target);
  });
}

TEST(AddGradientTest, AddsUpWhereBothOperandsAreOne) {
  const auto group = gradcheck::make_group({{2, 2, uniform<real>(4, 1)}});
  const Tensor target = Tensor::from_host(2, 2, uniform<real>(4, 3));
  expect_gradients(*group, [&](const Pass& pass) {
    const Var x = pass.parameter((*group)[0]);
    return scalar_of(add(x, x, 3, real(0.25)), target);
  });
}

TEST(DropoutGradientTest, MatchesDifferencesWithTheDrawHeldFixed) {
  TrainingState state(7, 1, 1, {});
  const auto group = gradcheck::make_group({{6, 5, uniform<real>(30, 1)}});
  const Tensor target = Tensor::from_host(6, 5, uniform<real>(30, 2));
  expect_gradients(*group,
                   [&](const Pass& pass) {
                     const Var x = pass.parameter((*group)[0]);
                     // Two uses, so that one of them adds to a gradient.
                     return scalar_of(
                         add(dropout(x, state, kernels::kStreamDropout, real(0.4)),
                             dropout(x, state, kernels::kStreamDropout + 1, real(0.1))),
                         target);
                   },
                   {.state = &state});
}

TEST(ReluDropoutTest, IsReluThenDropoutAndSoIsItsGradient) {
  TrainingState state(7, 1, 1, {});
  const auto group = gradcheck::make_group({{6, 8, uniform_off_zero<real>(48, 1)}});
  const Tensor target = Tensor::from_host(6, 8, uniform<real>(48, 2));
  const auto gradient_of = [&](bool in_place) {
    gradcheck::run_backward(
        *group,
        [&](const Pass& pass) {
          // Neither the sum nor its gradient is needed again.
          const Var x = add(pass.parameter((*group)[0]), pass.parameter((*group)[0]), 2, -1);
          const Var y = in_place
                            ? relu_dropout_in_place(x, &state, kernels::kStreamDropout, real(0.25))
                            : dropout(activation(UnaryOp::Relu, x), state, kernels::kStreamDropout,
                                      real(0.25));
          return scalar_of(y, target);
        },
        {.state = &state});
    return (*group)[0].grad.to_host();
  };
  EXPECT_EQ(gradient_of(true), gradient_of(false));
}

TEST(ReluDropoutTest, WithoutAStateIsRelu) {
  const Tensor x = Tensor::from_host(1, 3, std::vector<real>{-1, 0, 2});
  EXPECT_EQ(relu_dropout_in_place(Var(x), nullptr, 0, real(0.5)).value().to_host(),
            (std::vector<real>{0, 0, 2}));
}

TEST(DropoutTest, RefusesARateOfOne) {
  TrainingState state(7, 1, 1, {});
  EXPECT_THROW(dropout(Var(Tensor::zeros(1, 1, {})), state, 0, 1), Error);
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
