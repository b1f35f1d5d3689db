#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tessera/metrics.h"
#include "training/assignment_training.h"
#include "training/training_step.h"

namespace tessera {

/// What an epoch came to. Means are those of the losses, unweighted, in the order of `losses`.
struct EpochNumbers {
  std::vector<WeightedLoss> losses;
  std::vector<double> train;
  std::vector<double> validation;  ///< empty where none was run this epoch
  CodeUse use;
  int64_t resets = 0;
  uint64_t epoch = 0, epochs = 0;  ///< from 1
  uint64_t step = 0;
  int64_t rows = 0;  ///< trained on in `seconds`: those of the epoch, or since it was resumed
  double seconds = 0, learning_rate = 0;
  std::optional<double> last_validation_total;       ///< of this or an earlier epoch
  std::optional<AssignmentNumbers> assignment = {};  ///< where categories are learned
  std::optional<double> hard_reconstruction = {};    ///< of validation, with one-hot assignment
  std::vector<std::pair<int64_t, double>> by_length =
      {};  ///< steps of series, validation reconstruction
  /// Family, norm of the last step's gradient in its encoder's first layer.
  std::vector<std::pair<std::string, double>> encoder_gradients = {};

  double total(const std::vector<double>& means) const;
};

/// The block of lines that stays on the screen (decisions D12), without a final line break.
std::string epoch_block(const EpochNumbers& numbers);

/// The line of metrics.jsonl; what was not measured is null.
nlohmann::ordered_json metrics_line(const EpochNumbers& numbers);

/// Of such a line what the model came to, without times, counts and settings.
std::map<std::string, double> measured(const nlohmann::ordered_json& line);

}  // namespace tessera
