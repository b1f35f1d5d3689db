#include "tessera/loss.h"
#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {

Var commitment_loss(const LossInputs& in) {
  const Var codes = stop_gradient(in.quantized);
  if (in.context == nullptr) return mean_squared_error(in.latents, codes);
  return weighted_squared_error(in.latents, codes, in.context->latent_weight);
}

}  // namespace tessera::inline TESSERA_PRECISION
