#include "tessera/learned_assignment.h"
#include "tessera/loss.h"

namespace tessera::inline TESSERA_PRECISION {

Var assign_family_loss(const LossInputs& in) {
  return family_constraint(assignment_for("assign_family", in).families(), in.assignment);
}

}  // namespace tessera::inline TESSERA_PRECISION
