#include "tessera/loss.h"
#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {

Var reconstruction_loss(const LossInputs& in) {
  if (in.context == nullptr) return mean_squared_error(in.prediction, in.target);
  return weighted_squared_error(in.prediction, in.target, in.context->feature_weight);
}

}  // namespace tessera::inline TESSERA_PRECISION
