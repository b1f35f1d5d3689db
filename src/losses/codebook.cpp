#include "tessera/loss.h"
#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {

Var codebook_loss(const LossInputs& in) { return mean_squared_error(in.quantized, stop_gradient(in.latents)); }

}  // namespace tessera::inline TESSERA_PRECISION
