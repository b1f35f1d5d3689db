#include "tessera/loss.h"
#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {

Var reconstruction_loss(const LossInputs& in) { return mean_squared_error(in.prediction, in.target); }

}  // namespace tessera::inline TESSERA_PRECISION
