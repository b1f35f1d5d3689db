#pragma once

#include <vector>

#include "tessera/config.h"
#include "tessera/kernels/step_state.h"

namespace tessera {

/// The scheduled numbers of every step of epoch `epoch` (from 0), as ScheduleConfig defines them.
std::vector<ScheduleRow> schedule_rows(const TrainingConfig& training, int64_t epoch,
                                       int64_t steps_per_epoch);

}  // namespace tessera
