#pragma once

#include <cmath>

#include "testing/gradcheck.h"
#include "testing/numbers.h"

// Gradients of models with too many parameters for a difference in each.
namespace tessera::inline TESSERA_PRECISION::gradcheck {

/// The loss as a number, however it is computed.
using ValueFunction = std::function<double()>;

inline double norm(const std::vector<double>& v) {
  double sum = 0;
  for (const double x : v) sum += x * x;
  return std::sqrt(sum);
}

/// A unit vector, half along `gradient`, so that a missing part of it shows, half random.
inline std::vector<double> direction_for(const std::vector<double>& gradient, uint64_t seed) {
  std::vector<double> v = testing::normal<double>(static_cast<int64_t>(gradient.size()), seed);
  const double along = norm(gradient), across = norm(v);
  for (size_t i = 0; i < v.size(); ++i)
    v[i] = v[i] / across + (along > 0 ? gradient[i] / along : 0);
  const double length = norm(v);
  for (double& x : v) x /= length;
  return v;
}

/// (f(p + h v) - f(p - h v)) / 2 h. Short: thousands of ReLUs leave few kinks within 1e-6 of where they
/// are, and 1e-16 / h of rounding is still 1e-10.
inline double directional_difference(Tensor& values, const std::vector<double>& v,
                                     const ValueFunction& value) {
  constexpr double kStep = 1e-6;
  const std::vector<real> before = values.to_host();
  const auto at = [&](double offset) {
    std::vector<real> moved = before;
    for (size_t i = 0; i < moved.size(); ++i) moved[i] += real(offset * v[i]);
    values.write(moved);
    return value();
  };
  const double difference = (at(kStep) - at(-kStep)) / (2 * kStep);
  values.write(before);
  return difference;
}

/// Compares the derivative of `loss` along a direction in each parameter of `group` with a difference of
/// `value`; of the loss itself where that is null.
inline void expect_directional_gradients(ParameterGroup& group, const LossFunction& loss,
                                         const Options& options = {},
                                         ValueFunction value = nullptr) {
  static_assert(sizeof(real) == 8, "differences need double: name the file <thing>_f64_test.cpp");
  run_backward(group, loss, options);
  if (!value) value = [&] { return value_of(loss, options); };
  ASSERT_NEAR(value(), value_of(loss, options), 1e-12) << "the value is not the loss";
  uint64_t seed = 1;
  for (Parameter& parameter : group.parameters()) {
    const std::vector<real> host = parameter.grad.to_host();
    const std::vector<double> gradient(host.begin(), host.end());
    const std::vector<double> v = direction_for(gradient, seed++);
    double derivative = 0;
    for (size_t i = 0; i < v.size(); ++i) derivative += gradient[i] * v[i];
    const double numeric = directional_difference(parameter.value, v, value);
    EXPECT_LE(std::abs(derivative - numeric), 3e-9 + 1e-6 * norm(gradient))
        << parameter.name << ": derivative " << derivative << ", difference " << numeric;
  }
}

}  // namespace tessera::inline TESSERA_PRECISION::gradcheck
