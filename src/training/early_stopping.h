#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tessera/run_progress.h"

namespace tessera {

/// Ends a run whose loss has stopped falling. A loss improves where it is below the best one by more
/// than min_delta. Patience counts epochs since the last improvement, however few of them were
/// validated; the decision falls in epochs that have a loss.
class EarlyStopping {
 public:
  /// patience   epochs; 0: never stops, but keeps count
  /// min_delta  not negative
  /// state      carried over a resume; must outlive this
  EarlyStopping(int64_t patience, double min_delta, EarlyStoppingState& state)
      : patience_(patience), min_delta_(min_delta), state_(state) {}

  /// Takes the loss of `epoch` (from 1) and returns the lines for the log, none where patience is 0.
  std::vector<std::string> observe(uint64_t epoch, double loss);

  bool stops() const { return patience_ > 0 && epochs_without_improvement() >= patience_; }
  int64_t epochs_without_improvement() const {
    return static_cast<int64_t>(state_.epoch - state_.best_epoch);
  }

 private:
  int64_t patience_;
  double min_delta_;
  EarlyStoppingState& state_;
};

}  // namespace tessera
