// Estimators that nobody should use, run to learn what the others owe to theirs.

#include <cmath>

#include "methods/methods.h"
#include "methods/step_training.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

/// The code rows as constants: the decoder's error does not reach the latents.
Var stopped(const VqTable&, const Var&, const Tensor& quantized) { return Var(quantized); }

/// |row|^2 of a over |row|^2 of b, for every value of the row.
std::vector<real> squared_ratios(const Tensor& a, const Tensor& b) {
  const std::vector<real> x = a.to_host(), y = b.to_host();
  std::vector<real> ratios(x.size());
  const auto dim = static_cast<size_t>(a.cols());
  for (size_t row = 0; row < x.size(); row += dim) {
    double above = 0, below = 1e-30;
    for (size_t i = row; i < row + dim; ++i) {
      above += double(x[i]) * double(x[i]);
      below += double(y[i]) * double(y[i]);
    }
    for (size_t i = row; i < row + dim; ++i) ratios[i] = real(above / below);
  }
  return ratios;
}

Tensor scaled(const Tensor& t, const std::vector<real>& factors) {
  std::vector<real> values = t.to_host();
  for (size_t i = 0; i < values.size(); ++i) values[i] *= factors[i];
  Tensor result = Tensor::empty(t.rows(), t.cols(), t.device());
  result.write(values);
  return result;
}

/// (|z|/|q|) R z instead of (|q|/|z|) R z: the code times (|z|/|q|)^2, and its gradient likewise.
Var inverted_rotation(const VqTable& table, const Var& latents, const Tensor& quantized) {
  const std::vector<real> factors = squared_ratios(latents.value(), quantized);
  const Var turned = rotation_trick(table, latents, quantized);
  return record("inverted_rotation", scaled(quantized, factors), {turned.ref()},
                [ref = turned.ref(), factors](const Tensor& dy, Gradients grad) {
                  *grad.whole(ref).tensor = scaled(dy, factors);
                });
}

}  // namespace

LabResult train_no_gradient(const LabProblem& problem) {
  return train_in_steps(problem, tape_step(stopped));
}
LabResult train_rotation_inverted(const LabProblem& problem) {
  return train_in_steps(problem, tape_step(inverted_rotation));
}

}  // namespace tessera::inline TESSERA_PRECISION
