#pragma once

#include <string>
#include <vector>

#include "tessera/config.h"
#include "tessera/console.h"
#include "tessera/run_progress.h"
#include "tessera/temperature.h"
#include "tessera/tokenizer.h"
#include "training/run_data.h"

namespace tessera {

/// How the learned assignment stands when an epoch has ended.
struct AssignmentNumbers {
  double temperature = 1, entropy = 0;  ///< entropy of the rows at temperature 1, 0 to 1
  double gradient_rows = 0;  ///< share of features with a gradient above Adam's epsilon, last step
  int64_t changed = 0;       ///< features of another category than an epoch before
  int64_t moved = 0;         ///< than at the start of the run
  int64_t categories = 0;    ///< that there are
};

/// Trains the assignment of a model that learns one: its start, temperature, rate, freezing. What an
/// epoch does depends only on what a checkpoint between epochs holds.
class AssignmentTraining {
 public:
  AssignmentTraining(Tokenizer& model, const Config& config, const RunData& data,
                     int64_t steps_per_epoch, AssignmentProgress& progress);

  /// Gives the logits their first values; says what the customer's program says.
  void start(Console& console);
  /// Says how it is trained.
  void introduce(Console& console) const;
  /// Before an epoch (from 1) begins, or goes on where a checkpoint was within it. Returns whether
  /// steps that were captured before must be captured again.
  bool begin_epoch(int64_t epoch, bool goes_on, Console& console);
  void add_to(std::vector<ScheduleRow>& rows, int64_t epoch) const;
  AssignmentNumbers end_epoch(Console& console);

 private:
  void freeze_where_due(int64_t epoch, Console& console);
  bool list_features(Console& console);
  void begin_skipping(double threshold, double left, Console& console);
  double validation_total() const;

  Tokenizer& model_;
  LearnedAssignment& learned_;
  const Config& config_;
  const RunData& data_;
  int64_t steps_per_epoch_;
  AssignmentProgress& progress_;
  double temperature_ = 1;
  bool is_listed_ = false, listed_frozen_ = false, warned_ = false;
};

/// Correlations between the features over the training rows, [features, features]: r, or, for nonlinear,
/// strongest_correlations().
std::vector<double> training_correlations(const RunData& data, const std::string& kind);

/// Logits after `steps` Adam steps of rate 0.1 on the modularity term alone, from random ones.
/// Source: the customer's study of what recovers planted categories, sections 2.2 and 2.3.
std::vector<float> learn_from_correlations(const std::vector<CategoryFamily>& families,
                                           const std::vector<float>& modularity, int64_t steps,
                                           uint64_t seed, Device device, Console& console);

}  // namespace tessera
