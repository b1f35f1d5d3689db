#pragma once

#include "tessera/methods.h"

namespace tessera::inline TESSERA_PRECISION {

// One file each; rows of registry.cpp.
LabResult train_pca_lloyd(const LabProblem& problem);
LabResult train_ste_autograd(const LabProblem& problem);
LabResult train_ste_manual(const LabProblem& problem);
LabResult train_rotation(const LabProblem& problem);
LabResult train_projection(const LabProblem& problem);
LabResult train_lloyd_best(const LabProblem& problem);
LabResult train_no_gradient(const LabProblem& problem);

}  // namespace tessera::inline TESSERA_PRECISION
