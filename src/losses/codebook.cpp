#include "tessera/loss.h"
#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {

Var codebook_loss(const LossInputs& in) {
  const Var latents = stop_gradient(in.latents);
  if (in.context == nullptr) return mean_squared_error(in.quantized, latents);
  return weighted_squared_error(in.quantized, latents, in.context->latent_weight);
}

}  // namespace tessera::inline TESSERA_PRECISION
