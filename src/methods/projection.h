#pragma once

#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {

/// The value of `quantized`; gradients go to `latents` projected on the line to the code.
Var line_projection(const VqTable& table, const Var& latents, const Tensor& quantized);

}  // namespace tessera::inline TESSERA_PRECISION
