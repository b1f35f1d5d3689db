#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "tessera/checkpoint.h"
#include "tessera/trainer.h"
#include "training/assignment_training.h"
#include "training/category_pruning.h"
#include "training/early_stopping.h"
#include "training/epoch_log.h"
#include "training/interrupt.h"
#include "training/run_data.h"
#include "training/run_folder.h"
#include "training/training_step.h"

namespace tessera {

/// One training, from its data to its last epoch.
class Run {
 public:
  Run(const TrainOptions& options, Console& console)
      : options_(options),
        console_(console),
        device_(parse_device(options.config.training.device)),
        data_(RunData::load(options.config, device_, console)),
        config_(with_sizes(options.config, data_)),
        folder_(config_.training.checkpoint_dir),
        resume_from_(find_start()),
        model_(make_tokenizer(config_, data_.features, device_)),
        state_(static_cast<uint64_t>(config_.training.seed), steps_in_epoch(),
               static_cast<int>(training_losses(config_).size()), device_),
        pruning_(config_, data_),
        stopping_(config_.training.early_stopping.patience,
                  config_.training.early_stopping.min_delta, progress_.early_stopping) {
    start_encoders(data_, *model_);
    make_step();
  }

  TrainReport train();

 private:
  int64_t steps_in_epoch() const { return steps_per_epoch(config_, data_.train.size()); }
  TrainingSnapshot snapshot() {
    return {*model_, state_, data_.normalizer, data_.features, config_, progress_};
  }
  // Start and end of the run (trainer.cpp).
  std::optional<std::string> find_start();
  void start_or_resume();
  void initialize_codebook();
  void introduce();
  bool nothing_to_do();
  void train_epochs();
  void write_schedule(uint64_t epoch, bool goes_on);

  // An epoch (run_epoch.cpp).
  void begin_epoch();
  bool train_epoch(uint64_t epoch, uint64_t first_step);
  void end_epoch(uint64_t epoch);
  EpochNumbers measure(uint64_t epoch);
  void validate(EpochNumbers& numbers);
  std::vector<std::pair<std::string, double>> encoder_gradients();
  CodeUse code_use_so_far();
  void show_progress(uint64_t epoch, uint64_t done);

  // What the model is and how it is trained (run_categories.cpp).
  void make_step();
  void reduce_categories(uint64_t epochs_done);

  void save(const std::string& path);
  void check_finite();
  void check_tensors();
  [[noreturn]] void fail_numeric(uint64_t step, const std::string& what) const;

  const TrainOptions& options_;
  Console& console_;
  Device device_;
  RunData data_;
  Config config_;
  RunFolder folder_;
  std::optional<std::string> resume_from_;
  std::unique_ptr<Tokenizer> model_;
  TrainingState state_;
  RunProgress progress_;
  std::unique_ptr<AssignmentTraining> assignment_;  // where categories are learned
  std::optional<TrainingStep> step_;
  CategoryPruning pruning_;
  EarlyStopping stopping_;
  TrainReport report_;
  std::optional<InterruptGuard> interrupt_;  // once there is something to lose
  std::string last_saved_;                   // the newest checkpoint this run can go back to
  double epoch_start_ = 0, session_start_ = 0, last_check_ = 0, seconds_before_ = 0;
  uint64_t steps_this_session_ = 0;
  int64_t rows_this_epoch_ = 0;                  // trained on in this session
  std::map<std::string, double> final_metrics_;  // what the last epoch has measured
};

}  // namespace tessera
