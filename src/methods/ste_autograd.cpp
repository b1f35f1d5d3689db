// Gradients by the tape, copied through the quantization unchanged.
// Source: Bengio et al. 2013; van den Oord et al. 2017, section 3.2.

#include "methods/methods.h"
#include "methods/step_training.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {
Var pass(const VqTable&, const Var& latents, const Tensor& quantized) {
  return straight_through(latents, quantized);
}
}  // namespace

LabResult train_ste_autograd(const LabProblem& problem) {
  return train_in_steps(problem, tape_step(pass));
}

}  // namespace tessera::inline TESSERA_PRECISION
