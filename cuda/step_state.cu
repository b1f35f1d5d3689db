// The numbers of a step: contracts and formulas in tessera/kernels/step_state.h.
//
// Mapping    one thread: a few dozen values, first and last in a step.

#include "launch.cuh"
#include "tessera/kernels/step_state.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

__global__ void advance_step_kernel(AdvanceStep a) { advance(*a.state, a.table); }
__global__ void record_terms_kernel(RecordTerms a) { record(a); }

}  // namespace

void advance_step(CudaContext& context, const AdvanceStep& a) {
  cuda::launch(context, "advance_step", advance_step_kernel, 1, 1, a);
}
void record_terms(CudaContext& context, const RecordTerms& a) {
  cuda::launch(context, "record_terms", record_terms_kernel, 1, 1, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
