#pragma once

#include <vector>

#include "tessera/kernels/step_state.h"
#include "tessera/tensor.h"

namespace tessera::inline TESSERA_PRECISION {

/// The numbers of a run that change from step to step, in persistent device memory: the StepState,
/// the epoch's schedule, and sums of the loss terms.
class TrainingState {
 public:
  /// `terms`: how many loss terms a step records.
  TrainingState(uint64_t seed, int64_t steps_per_epoch, int terms, Device device);

  Device device() const { return state_.device(); }
  const StepState* get() const { return state_.data(); }  ///< device address: what kernels read
  uint64_t seed() const { return seed_; }

  // Inside a step.
  void advance();  ///< first call of a step
  void record_terms(const std::vector<const Tensor*>& terms, int64_t rows);

  // Between steps; these wait for the device.
  StepState read() const { return state_.to_host()[0]; }
  void write(const StepState& state) { state_.write({&state, 1}); }
  void write_schedule(const std::vector<ScheduleRow>& rows) { schedule_.write(rows); }
  std::vector<double> read_sums() const { return sums_.to_host(); }
  void write_sums(const std::vector<double>& sums) { sums_.write(sums); }

 private:
  uint64_t seed_;
  Buffer<StepState> state_;
  Buffer<ScheduleRow> schedule_;
  Buffer<double> sums_;
};

}  // namespace tessera::inline TESSERA_PRECISION
