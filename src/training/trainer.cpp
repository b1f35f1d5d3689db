// The start and the end of a run; what happens in an epoch is in run_epoch.cpp.
#include "tessera/trainer.h"

#include <fmt/format.h>

#include <algorithm>

#include "training/resume.h"
#include "training/run.h"
#include "training/run_log.h"
#include "training/sample_latents.h"
#include "training/schedule.h"

namespace tessera {
namespace {
constexpr int64_t kInitRows = 65536;  // rows that the first codebook is fitted to
}

/// The checkpoint to go on from. Categories that went before it was written are gone from the data's
/// features too.
std::optional<std::string> Run::find_start() {
  std::optional<std::string> from = checkpoint_to_resume(options_, folder_, console_);
  if (from) take_categories(*from, data_.features, config_.model);
  return from;
}

void Run::start_or_resume() {
  const std::optional<std::string>& from = resume_from_;
  if (!from) {
    if (assignment_) assignment_->start(console_);
    initialize_codebook();  // may refuse; what lies in the folder is still whole
    folder_.clear();
    return;
  }
  restore_checkpoint(*from, snapshot());
  const StepState state = state_.read();
  const auto steps = static_cast<uint64_t>(step_->steps_per_epoch());
  require(state.step == state.epoch * steps + state.step_in_epoch, ErrorKind::Config, *from,
          ": stands at step ", state.step, " after ", state.epoch, " epochs, these data make ",
          steps, " steps an epoch; resume with the data that started the run");
  folder_.forget_after(state.epoch, state.step);
  last_saved_ = *from;
  seconds_before_ = progress_.seconds;
  console_.line(fmt::format("Resumed {} at step {} ({} of {} epochs finished)", *from, state.step,
                            state.epoch, config_.training.num_epochs));
}

/// Fits the codebooks to latents of the untrained encoder.
void Run::initialize_codebook() {
  const int64_t rows =
      std::min(data_.train.size(), std::max(kInitRows, model_->quantizer().total_codes()));
  console_.detail(
      fmt::format("Codebook from {} latents ({})", rows, config_.quantizer.codebook_init));
  model_->quantizer().initialize(sample_latents(*model_, data_.set.source(), data_.split.train, rows,
                                               state_.seed(), SamplePurpose::FirstCodebook));
}

/// What is trained, and by what.
void Run::introduce() {
  RunFacts facts = {.epochs = config_.training.num_epochs,
                    .training_rows = data_.train.size(),
                    .validation_rows = data_.validation.size(),
                    .validation_interval = config_.training.validation_interval,
                    .device = to_string(device_),
                    .loss_weights = {}};
  for (const WeightedLoss& loss : step_->losses())
    facts.loss_weights.emplace_back(loss.name, loss.weight);
  console_.line(run_header(facts));
  console_.line(fmt::format(
      "Training on {}: {} rows of {} features, {} steps an epoch, {} parameters",
      to_string(device_), data_.train.size(), data_.set.cols(), step_->steps_per_epoch(),
      model_->model_group().parameter_count() + model_->assignment_group().parameter_count() +
          model_->codebook_group().parameter_count()));
  if (assignment_) assignment_->introduce(console_);
  if (config_.quantizer.kind == "ema")
    console_.detail("Parameter group codebook is empty: the codebook follows running averages");
}

/// Whether the run has ended in an earlier session, by its epochs or early. Says so.
bool Run::nothing_to_do() {
  const uint64_t done = state_.read().epoch;
  const auto epochs = static_cast<uint64_t>(config_.training.num_epochs);
  if (done < epochs && !stopping_.stops()) return false;
  console_.line(fmt::format("Nothing to do: {} of {} epochs are trained{}", done, epochs,
                            done < epochs ? ", then the run stopped early" : ""));
  const std::string last = folder_.file("last.safetensors");
  if (last_saved_ != last) save(last);  // resumed from elsewhere, or it was broken
  return true;
}

TrainReport Run::train() {
  console_.detail(to_yaml(config_));
  report_.folder = folder_.path();
  start_or_resume();
  interrupt_.emplace();
  session_start_ = now_seconds();
  if (!nothing_to_do()) {
    folder_.write_config(with_sizes(options_.config, data_));  // of all categories: to start anew
    introduce();
    // From here on there is always something to resume from.
    if (last_saved_.empty()) save(folder_.file("last.safetensors"));
    train_epochs();
  }
  const StepState state = state_.read();
  report_.epochs = state.epoch;
  report_.steps = state.step;
  report_.seconds = seconds_before_ + now_seconds() - session_start_;
  if (!final_metrics_.empty() && !report_.interrupted)
    console_.line(run_footer(report_.seconds, final_metrics_));
  return report_;
}

void Run::write_schedule(uint64_t epoch, bool goes_on) {
  std::vector<ScheduleRow> rows =
      schedule_rows(config_.training, static_cast<int64_t>(epoch), step_->steps_per_epoch());
  if (assignment_) {
    const auto number = static_cast<int64_t>(epoch) + 1;
    if (assignment_->begin_epoch(number, goes_on, console_)) step_->capture_again();
    assignment_->add_to(rows, number);
  }
  state_.write_schedule(rows);
}

void Run::train_epochs() {
  const StepState state = state_.read();
  const auto epochs = static_cast<uint64_t>(config_.training.num_epochs);
  for (uint64_t epoch = state.epoch; epoch < epochs && !stopping_.stops(); ++epoch) {
    epoch_start_ = now_seconds();
    rows_this_epoch_ = 0;
    const uint64_t first_step = epoch == state.epoch ? state.step_in_epoch : 0;
    if (first_step == 0) reduce_categories(epoch);
    write_schedule(epoch, first_step > 0);
    step_->begin_epoch(epoch);
    if (first_step == 0) begin_epoch();
    if (!train_epoch(epoch, first_step)) {
      report_.interrupted = true;
      return;
    }
    end_epoch(epoch);
  }
}

TrainReport train(const TrainOptions& options, Console& console) {
  return Run(options, console).train();
}

}  // namespace tessera
