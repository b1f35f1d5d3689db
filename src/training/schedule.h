#pragma once

#include <vector>

#include "tessera/config.h"
#include "tessera/kernels/step_state.h"

namespace tessera {

/// The factor on a rate at step `step` (from 1) of `total`, in epoch `epoch` (from 0).
double rate_factor(const ScheduleConfig& schedule, int64_t step, int64_t total, int64_t epoch);

/// The scheduled numbers of every step of epoch `epoch` (from 0), as ScheduleConfig defines them.
std::vector<ScheduleRow> schedule_rows(const TrainingConfig& training, int64_t epoch,
                                       int64_t steps_per_epoch);

}  // namespace tessera
