#include "tessera/loss.h"
#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {

Var topographic_loss(const LossInputs& in) {
  const LossContext& context = context_for("topographic", in);
  return topographic(context.features, stop_gradient(in.target), context.latents, in.latents,
                     in.passed, context.topographic_samples)
      .loss;
}

}  // namespace tessera::inline TESSERA_PRECISION
