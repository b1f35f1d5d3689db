#include "tessera/kernels/step_state.h"

#include "cpu/cpu_context.h"

namespace tessera::inline TESSERA_PRECISION::kernels {

void advance_step(CpuContext& context, const AdvanceStep& a) {
  context.enqueue("advance_step", [&] { advance(*a.state, a.table); });
}

void record_terms(CpuContext& context, const RecordTerms& a) {
  context.enqueue("record_terms", [&] { record(a); });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
