#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <memory>
#include <vector>

#include "core/context.h"
#include "tessera/nn.h"
#include "tessera/step.h"

// Gradients against differences of values, in double.
namespace tessera::inline TESSERA_PRECISION::gradcheck {

/// A parameter to check: its shape and values.
struct Leaf {
  int64_t rows, cols;
  std::vector<real> values;
};

/// The leaves as one allocated group on the CPU; parameter i is group[i].
inline std::unique_ptr<ParameterGroup> make_group(const std::vector<Leaf>& leaves) {
  auto group = std::make_unique<ParameterGroup>("leaves", kModelGroup);
  for (size_t i = 0; i < leaves.size(); ++i)
    group->declare(
        {"leaf" + std::to_string(i), leaves[i].rows, leaves[i].cols,
         [&values = leaves[i].values](int64_t at) { return values.at(static_cast<size_t>(at)); }});
  group->allocate({});
  return group;
}

/// A loss [1, 1] of parameters asked for with pass.parameter(). Called many times; each call with
/// the same parameters must give the same value.
using LossFunction = std::function<Var(const Pass&)>;

struct Options {
  const TrainingState* state = nullptr;  ///< for dropout
  bool training = true;
  /// What differences are taken of, where the gradient of `loss` is defined by another function
  /// (estimators). Must be the loss itself at the parameters given.
  LossFunction differentiated = nullptr;
  /// The bound is tolerance * max(1, |difference|). Five points at distance 1e-3 are exact to about
  /// 1e-12 h^-1 = 1e-11 of rounding and h^4 = 1e-12 of the fifth derivative.
  double tolerance = 1e-9;
  /// Shorter where derivatives are large (layer norms of few columns).
  double step = 1e-3;
};

/// Runs `loss` forward and backward once; the gradients are in the parameters. They start as NaN,
/// and so does the memory of the step.
inline void run_backward(ParameterGroup& group, const LossFunction& loss, const Options& options) {
  Context& context = context_of({});
  context.poison_steps(true);
  for (Parameter& parameter : group.parameters())
    parameter.grad.write(std::vector<real>(static_cast<size_t>(parameter.grad.size()),
                                           std::numeric_limits<real>::quiet_NaN()));
  for (int warm = 0; warm < 2; ++warm)  // the second finds one block, all of it NaN
    run_step({}, [&] {
      Tape tape;
      tape.backward({{loss({&tape, options.state, options.training})}});
    });
  context.poison_steps(false);
}

inline double value_of(const LossFunction& loss, const Options& options) {
  double value = 0;
  run_step({}, [&] {
    const Var result = loss({nullptr, options.state, options.training});
    ASSERT_EQ(result.value().size(), 1);
    value = double(result.value().to_host()[0]);
  });
  return value;
}

/// f'(x) ~ (8 (f(x + h) - f(x - h)) - (f(x + 2h) - f(x - 2h))) / 12 h
inline double difference(Tensor& values, size_t i, const LossFunction& loss,
                         const Options& options) {
  const std::vector<real> before = values.to_host();
  const auto at = [&](double offset) {
    std::vector<real> moved = before;
    moved[i] += real(offset);
    values.write(moved);
    return value_of(loss, options);
  };
  const double near = at(options.step) - at(-options.step),
               far = at(2 * options.step) - at(-2 * options.step);
  values.write(before);
  return (8 * near - far) / (12 * options.step);
}

/// Compares the gradient of `loss` in every element of every parameter of `group` with differences.
inline void expect_gradients(ParameterGroup& group, const LossFunction& loss,
                             const Options& options = {}) {
  static_assert(sizeof(real) == 8, "differences need double: name the file <thing>_f64_test.cpp");
  run_backward(group, loss, options);
  const LossFunction& values = options.differentiated ? options.differentiated : loss;
  ASSERT_NEAR(value_of(values, options), value_of(loss, options), 1e-12)
      << "what is differentiated is not the loss";
  for (Parameter& parameter : group.parameters()) {
    const std::vector<real> analytic = parameter.grad.to_host();
    for (size_t i = 0; i < analytic.size(); ++i) {
      const double numeric = difference(parameter.value, i, values, options);
      const double bound = options.tolerance * std::max(1.0, std::abs(numeric));
      EXPECT_LE(std::abs(double(analytic[i]) - numeric), bound)
          << parameter.name << "[" << i << "]: gradient " << analytic[i] << ", difference "
          << numeric << " +- " << bound;
    }
  }
}

/// A scalar of y that weighs every element differently: the mean squared distance to fixed numbers.
inline Var scalar_of(const Var& y, const Tensor& target) {
  return mean_squared_error(y, Var(target));
}

}  // namespace tessera::inline TESSERA_PRECISION::gradcheck
