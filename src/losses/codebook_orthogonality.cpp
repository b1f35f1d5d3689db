#include "tessera/loss.h"
#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {

Var codebook_orthogonality_loss(const LossInputs& in) {
  return code_orthogonality(context_for("codebook_orthogonality", in).codes, in.codebooks);
}

}  // namespace tessera::inline TESSERA_PRECISION
