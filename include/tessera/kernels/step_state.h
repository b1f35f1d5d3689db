#pragma once

#include <cstdint>

#include "tessera/kernels/host_device.h"
#include "tessera/kernels/views.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {

/// Parameter groups: which row of a schedule belongs to whom.
enum ParameterGroupIndex { kModelGroup = 0, kAssignmentGroup = 1, kCodebookGroup = 2, kGroups = 3 };

/// The scheduled numbers of one step.
struct ScheduleRow {
  real learning_rate[kGroups] = {};
  real clip_norm[kGroups] = {};  // 0: no clipping
  real beta1 = real(0.9), beta2 = real(0.999);
  real beta1_correction = 1, beta2_correction = 1;  // 1 - beta^step
  real temperature = 1;
};

/// Every number that changes from step to step; kernels take a pointer to it, so a recorded step
/// reads new values at each replay. Checkpoints save it, and a resume is one write of it.
struct StepState {
  uint64_t seed = 0;
  uint64_t step = 0;           // of the step under way, from 1; 0 before the first
  uint64_t epoch = 0;          // from 0
  uint64_t step_in_epoch = 0;  // of the step under way, from 1; 0 before the first of the epoch
  uint64_t first_bad_step = 0;  // first step with a term that is not finite; 0: none
  uint64_t first_bad_term = 0;  // its index among the recorded terms
  ScheduleRow now;
};

namespace kernels {

/// Moves to the next step: step += 1, step_in_epoch += 1, now = table[step_in_epoch - 1].
/// The host writes the table at epoch boundaries. First kernel of every step: one thread.
struct AdvanceStep {
  StepState* state;                     // in, out
  VectorView<const ScheduleRow> table;  // one row per step of the epoch
};
void advance_step(CpuContext&, const AdvanceStep&);
void advance_step(CudaContext&, const AdvanceStep&);

TESSERA_HD void advance(StepState& state, const VectorView<const ScheduleRow>& table) {
  state.now = table.data[state.step_in_epoch < static_cast<uint64_t>(table.size)
                             ? state.step_in_epoch
                             : static_cast<uint64_t>(table.size - 1)];
  state.step += 1;
  state.step_in_epoch += 1;
}

/// sums[i] += weight * terms[i] in binary64; the first step with a term that is not finite is kept
/// in the state.
struct RecordTerms {
  static constexpr int kMaxTerms = 16;
  const real* terms[kMaxTerms];  // one value each
  int32_t count;
  double weight;           // rows of the batch
  VectorView<double> sums;  // [count]  in, out
  StepState* state;        // in, out
};
void record_terms(CpuContext&, const RecordTerms&);
void record_terms(CudaContext&, const RecordTerms&);

TESSERA_HD void record(const RecordTerms& a) {
  for (int32_t i = 0; i < a.count; ++i) {
    const real value = *a.terms[i];
    a.sums.data[i] += a.weight * double(value);
    if (!(value - value == 0) && a.state->first_bad_step == 0) {
      a.state->first_bad_step = a.state->step;
      a.state->first_bad_term = static_cast<uint64_t>(i);
    }
  }
}

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
