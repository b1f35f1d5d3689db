#include "tessera/learned_assignment.h"
#include "tessera/loss.h"
#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {

Var assign_orthogonality_loss(const LossInputs& in) {
  assignment_for("assign_orthogonality", in);
  return assignment_orthogonality(stop_gradient(in.target), in.assignment);
}

}  // namespace tessera::inline TESSERA_PRECISION
