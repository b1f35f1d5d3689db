#include "tessera/learned_assignment.h"
#include "tessera/loss.h"

namespace tessera::inline TESSERA_PRECISION {

Var assign_balance_loss(const LossInputs& in) {
  assignment_for("assign_balance", in);
  return category_balance(in.assignment);
}

}  // namespace tessera::inline TESSERA_PRECISION
