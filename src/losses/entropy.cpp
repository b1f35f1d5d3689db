#include "tessera/loss.h"
#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {

Var entropy_loss(const LossInputs& in) {
  const LossContext& context = context_for("entropy", in);
  return code_entropy(context.codes, in.latents, in.codebooks.value(), context.entropy_temperature);
}

}  // namespace tessera::inline TESSERA_PRECISION
