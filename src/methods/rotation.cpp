// Gradients by the tape, turned and scaled as each latent is turned to its code.
// Source: Fifty et al. 2025, arXiv 2410.06424.

#include "methods/methods.h"
#include "methods/step_training.h"

namespace tessera::inline TESSERA_PRECISION {

LabResult train_rotation(const LabProblem& problem) {
  return train_in_steps(problem, tape_step(rotation_trick));
}

}  // namespace tessera::inline TESSERA_PRECISION
