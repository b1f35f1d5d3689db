#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tessera/data.h"
#include "tessera/loss.h"
#include "tessera/series_lengths.h"
#include "tessera/step.h"
#include "tessera/tokenizer.h"
#include "training/encoded_rows.h"

namespace tessera {

/// A loss of the total, by its registry name.
struct WeightedLoss {
  std::string name;
  double weight;
};

/// The terms a model trains with: weights of the config; terms of weight 0 are left out, except that
/// the reconstruction is always measured.
std::vector<WeightedLoss> training_losses(const Config& config);

/// Steps of an epoch over `rows` rows. Where encoders make the features, a last batch of one row is left
/// out, since its batch statistics would be nothing: another row each epoch.
/// Throws Error (Config) for batches of one row then.
int64_t steps_per_epoch(const Config& config, int64_t rows);

/// One training step of a model as captured steps: full batches and, where the rows of an
/// epoch do not divide, its last one. Where encoders make the features, whose raw values come from the
/// host and whose lengths change, a step is asked for anew each time. Everything referred to must
/// outlive it.
class TrainingStep {
 public:
  struct Inputs {
    Tokenizer& model;
    TrainingState& state;
    RowSource source;
    const Buffer<int32_t>& rows;  ///< the rows that train
    const Config& config;
    const EncodedRows* encoded = nullptr;         ///< where encoders make the features, with
    const std::vector<int32_t>* train = nullptr;  ///< the rows again, on the host
  };
  explicit TrainingStep(const Inputs& inputs);

  /// Before the steps of an epoch, from 0.
  void begin_epoch(uint64_t epoch) { epoch_ = epoch; }
  int64_t steps_per_epoch() const { return steps_per_epoch_; }
  int64_t rows_of(int64_t step_in_epoch) const;  ///< step_in_epoch from 0
  void run(int64_t step_in_epoch);
  /// Where what a step does has changed between epochs.
  void capture_again();
  /// The same step without its recording; says what it asked of the device.
  StepCounts run_eagerly(int64_t step_in_epoch);
  const std::vector<WeightedLoss>& losses() const { return losses_; }
  const StepCounts& counts() const { return counts_; }

 private:
  void body(int64_t rows) const;
  void encoded_body(int64_t step_in_epoch) const;
  void train_on(const Var& x, const Pass& pass, int64_t rows) const;
  std::vector<int32_t> rows_of_step(int64_t step_in_epoch) const;

  Inputs in_;
  std::vector<WeightedLoss> losses_;
  int64_t steps_per_epoch_, last_rows_;
  std::vector<CapturedStep> steps_;  // full batch; then the last one where it is smaller
  StepCounts counts_;
  uint64_t epoch_ = 0;
};

/// How long series are in training, where a family of the config says that they vary.
/// Throws Error (Config) where two families say different things.
std::optional<SeriesLengths> series_lengths(const Config& config);

/// Means of the losses over rows of a data set, in evaluation: `subset` or, where it is empty, all.
std::vector<double> evaluate_losses(Tokenizer& model, const RowSource& source,
                                    const Buffer<int32_t>& subset,
                                    const std::vector<WeightedLoss>& losses, int64_t batch_size);

}  // namespace tessera
