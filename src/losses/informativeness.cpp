#include "tessera/learned_assignment.h"
#include "tessera/loss.h"
#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {

Var informativeness_loss(const LossInputs& in) {
  const LossContext& context = context_for("informativeness", in);
  if (in.learned) {
    // The largest share of each feature, as one-hot rows, is the assignment of its shares as logits.
    const Var assignment =
        in.learned->options().hard_informativeness
            ? stop_gradient(category_assignment(in.learned->families(), in.assignment,
                                                {.temperature = 1, .hard = true}))
            : in.assignment;
    return soft_informativeness(in.learned->parts(), in.partial, stop_gradient(in.target),
                                assignment, context.feature_weight);
  }
  return weighted_squared_error(in.partial, stop_gradient(in.target), context.partial_weight,
                                context.partial_columns);
}

}  // namespace tessera::inline TESSERA_PRECISION
