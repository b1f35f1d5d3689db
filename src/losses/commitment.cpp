#include "tessera/loss.h"
#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {

Var commitment_loss(const LossInputs& in) { return mean_squared_error(in.latents, stop_gradient(in.quantized)); }

}  // namespace tessera::inline TESSERA_PRECISION
