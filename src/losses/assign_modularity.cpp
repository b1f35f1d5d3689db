#include "tessera/learned_assignment.h"
#include "tessera/loss.h"
#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {

Var assign_modularity_loss(const LossInputs& in) {
  const LearnedAssignment& learned = assignment_for("assign_modularity", in);
  TESSERA_CHECK(!learned.modularity_matrix().is_null(), "assign_modularity has no correlations");
  const kernels::AnnealedWeight entropy{.state = in.state ? in.state->get() : nullptr,
                                        .start = 2,
                                        .end = 0.05,
                                        .steps = learned.entropy_steps()};
  return add(modularity(in.clean_assignment, learned.modularity_matrix()),
             row_entropy(in.clean_assignment, entropy), -1, -1);
}

}  // namespace tessera::inline TESSERA_PRECISION
