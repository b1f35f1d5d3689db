#pragma once

#include <algorithm>
#include <iterator>

namespace tessera {

// Numbers a run carries over a resume beside tensors and StepState. A checkpoint holds the bytes of
// RunProgress: every field is a double, and new ones come last, so that older files stay readable.

/// What early stopping has seen (src/training/early_stopping.h).
struct EarlyStoppingState {
  double best = 0;        ///< loss of best_epoch
  double best_epoch = 0;  ///< of the last improvement, from 1; 0: no loss was seen yet
  double epoch = 0;       ///< of the last loss seen
};

/// The epochs that the adaptive dead-code policy looks back on (src/training/dead_code_policy.h).
struct DeadCodeHistory {
  static constexpr int kEpochs = 20;
  double epochs = 0;  ///< how many of the following are set, the oldest first
  double utilization[kEpochs] = {};
  double loss[kEpochs] = {};
  double last_reset = 0;  ///< epoch after which codes were last replaced; 0: none

  int size() const { return static_cast<int>(epochs); }
  /// Appends an epoch; the oldest goes where there are kEpochs.
  void add(double used, double value) {
    if (size() == kEpochs) {
      std::shift_left(std::begin(utilization), std::end(utilization), 1);
      std::shift_left(std::begin(loss), std::end(loss), 1);
    } else {
      ++epochs;
    }
    utilization[size() - 1] = used;
    loss[size() - 1] = value;
  }
};

/// Where a learned assignment stands (src/training/assignment_training.h).
struct AssignmentProgress {
  double temperature = 0;  ///< of the epoch to come in an adaptive schedule; 0: no epoch yet
  double entropy = -1;     ///< of the last epoch; below 0: none yet
  double unchanged = 0;    ///< epochs since a feature changed its category
  double is_settled = 0;   ///< 1: the temperature stays
  double frozen = 0;       ///< 1 once the assignment is
};

struct RunProgress {
  double best_error = 0;  ///< lowest reconstruction loss so far, of validation where there is one
  double has_best = 0;    ///< 1 once best_error is set
  double seconds = 0;     ///< spent training, all sessions together
  double last_validation = 0;  ///< latest validation total, shown as (cached)
  double has_validation = 0;
  EarlyStoppingState early_stopping;
  DeadCodeHistory dead_codes;
  AssignmentProgress assignment;
};

}  // namespace tessera
