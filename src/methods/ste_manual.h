#pragma once

#include "methods/step_training.h"

namespace tessera::inline TESSERA_PRECISION {

/// G - W (G^T W + W^T G) / 2 = (G - W G^T W) / 2 for orthonormal rows: half the canonical gradient on
/// the Stiefel manifold. Source: Edelman, Arias and Smith 1998, section 2.4.
SmallMatrix riemannian_gradient(const SmallMatrix& w, const SmallMatrix& g);

/// The step of ste_manual.cpp.
void manual_step(LinearModel& model, const Tensor& x, const LabSettings& settings,
                 LabLosses* losses);

}  // namespace tessera::inline TESSERA_PRECISION
