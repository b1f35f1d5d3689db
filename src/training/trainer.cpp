#include "tessera/trainer.h"

#include <algorithm>
#include <optional>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "tessera/checkpoint.h"
#include "training/training_step.h"
#include "training/epoch_log.h"
#include "training/interrupt.h"
#include "training/resume.h"
#include "training/run_data.h"
#include "training/run_folder.h"
#include "training/schedule.h"

namespace tessera {
namespace {

constexpr int kKeptStepCheckpoints = 2;
constexpr int64_t kInitRows = 65536;      // rows that the first codebook is fitted to
constexpr int64_t kEvaluationBatch = 1024;
constexpr double kPlainProgressSeconds = 30;

class Run {
 public:
  Run(const TrainOptions& options, Console& console)
      : options_(options),
        console_(console),
        device_(parse_device(options.config.training.device)),
        data_(RunData::load(options.config, device_, console)),
        config_(with_sizes(options.config, data_)),
        folder_(config_.training.checkpoint_dir),
        made_(make_tokenizer(config_, data_.features, device_)),
        model_(*made_),
        state_(static_cast<uint64_t>(config_.training.seed), steps_in_epoch(),
               static_cast<int>(training_losses(config_).size()), device_),
        step_({model_, state_, data_.set.source(), data_.train, config_}) {}

  TrainReport train();

 private:
  int64_t steps_in_epoch() const {
    const int64_t batch = config_.training.batch_size;
    return (data_.train.size() + batch - 1) / batch;
  }
  TrainingSnapshot snapshot() {
    return {model_, state_, data_.normalizer, data_.features, config_, progress_};
  }
  void start_or_resume();
  void initialize_codebook();
  bool train_epoch(uint64_t epoch, uint64_t first_step);
  void end_epoch(uint64_t epoch);
  EpochNumbers measure(uint64_t epoch);
  void save(const std::string& path);
  void check_finite();
  void check_tensors();
  [[noreturn]] void fail_numeric(uint64_t step, const std::string& what) const;
  void show_progress(uint64_t epoch, uint64_t done);

  const TrainOptions& options_;
  Console& console_;
  Device device_;
  RunData data_;
  Config config_;
  RunFolder folder_;
  std::unique_ptr<Tokenizer> made_;
  Tokenizer& model_;
  TrainingState state_;
  TrainingStep step_;
  RunProgress progress_;
  TrainReport report_;
  std::optional<InterruptGuard> interrupt_;  // once there is something to lose
  std::string last_saved_;  // the newest checkpoint this run can go back to
  double epoch_start_ = 0, session_start_ = 0, last_check_ = 0, seconds_before_ = 0;
  uint64_t steps_this_session_ = 0;
  int64_t rows_this_epoch_ = 0;  // trained on in this session
};

void Run::start_or_resume() {
  const std::optional<std::string> from = checkpoint_to_resume(options_, folder_, console_);
  if (!from) {
    initialize_codebook();  // may refuse; what lies in the folder is still whole
    folder_.clear();
    return;
  }
  restore_checkpoint(*from, snapshot());
  const StepState state = state_.read();
  const auto steps = static_cast<uint64_t>(step_.steps_per_epoch());
  require(state.step == state.epoch * steps + state.step_in_epoch, ErrorKind::Config, *from,
          ": stands at step ", state.step, " after ", state.epoch, " epochs, these data make ",
          steps, " steps an epoch; resume with the data that started the run");
  folder_.forget_after(state.epoch, state.step);
  last_saved_ = *from;
  seconds_before_ = progress_.seconds;
  console_.line(fmt::format("Resumed {} at step {} ({} of {} epochs finished)", *from, state.step,
                            state.epoch, config_.training.num_epochs));
}

/// Encodes a sample of the training rows with the untrained encoder and fits the codebook to it.
void Run::initialize_codebook() {
  const int64_t all = data_.train.size(), rows = std::min(all, std::max(kInitRows, model_.quantizer().total_codes()));
  console_.detail(fmt::format("Codebook from {} latents ({})", rows,
                              config_.quantizer.codebook_init));
  std::vector<int32_t> sample(static_cast<size_t>(rows));
  for (int64_t i = 0; i < rows; ++i)
    sample[i] = data_.split.train[kernels::permuted_index(
        state_.seed(), kernels::kStreamSample, 0, static_cast<uint64_t>(i),
        static_cast<uint64_t>(all))];
  const auto subset = Buffer<int32_t>::from_host(sample, device_);
  std::vector<float> latents;
  int64_t columns = 0;
  for (int64_t first = 0; first < rows; first += kEvaluationBatch) {
    const int64_t count = std::min(kEvaluationBatch, rows - first);
    const Var x(gather_rows(data_.set.source(), subset, first, count, device_));
    const Tensor encoded = model_.encode({}, x).value();
    columns = encoded.cols();
    const std::vector<float> part = encoded.to_host();
    latents.insert(latents.end(), part.begin(), part.end());
  }
  model_.quantizer().initialize(
      Tensor::from_host(rows, columns, latents, device_));
}

void Run::fail_numeric(uint64_t step, const std::string& what) const {
  fail(ErrorKind::Numeric, "training: step ", step, ": ", what,
       "; last good checkpoint: ", last_saved_.empty() ? "none" : last_saved_,
       "; lower training.learning_rate or set training.gradient_clip_norm");
}

void Run::check_finite() {
  const StepState state = state_.read();
  const int64_t bad_rows = model_.quantizer().rows_not_finite();
  last_check_ = now_seconds();
  if (state.first_bad_step != 0)
    fail_numeric(state.first_bad_step, fmt::format("the {} loss is not finite",
                                                   step_.losses()[state.first_bad_term].name));
  if (bad_rows != 0) fail_numeric(state.step, fmt::format("{} latent rows are not finite", bad_rows));
}

/// A step whose loss was finite can still leave values that are not; they would show one step later,
/// when they are already saved as good.
void Run::check_tensors() {
  for (const NamedTensor& named : model_.tensors())
    for (const float value : named.tensor.to_host())
      if (!std::isfinite(value)) fail_numeric(state_.read().step, named.name + " is not finite");
}

void Run::save(const std::string& path) {
  check_finite();
  check_tensors();
  progress_.seconds = seconds_before_ + now_seconds() - session_start_;
  save_checkpoint(path, snapshot());
  last_saved_ = path;
}

void Run::show_progress(uint64_t epoch, uint64_t done) {
  const double now = now_seconds();
  if (now - last_check_ < 0.2) return;
  check_finite();
  const std::vector<double> sums = state_.read_sums();
  double rows = 0;
  for (uint64_t i = 0; i < done; ++i) rows += static_cast<double>(step_.rows_of(static_cast<int64_t>(i)));
  std::vector<double> means;
  for (const double sum : sums) means.push_back(sum / rows);
  const CodeUse use = code_use(model_.quantizer().usage().to_host());
  const double per_step = (now - session_start_) / static_cast<double>(steps_this_session_);
  const double left = static_cast<double>(config_.training.num_epochs * step_.steps_per_epoch()) -
                      static_cast<double>(epoch * step_.steps_per_epoch() + done);
  std::string losses;
  for (size_t i = 0; i < means.size(); ++i)
    losses += fmt::format(" {}={:.4f}", step_.losses()[i].name, means[i]);
  console_.live(fmt::format("Epoch {}/{} step {}/{} {:.0f} rows/s{} used={:.1f}% perplexity={:.0f} ETA {}",
                            epoch + 1, config_.training.num_epochs, done, step_.steps_per_epoch(),
                            static_cast<double>(config_.training.batch_size) / per_step, losses,
                            100 * use.utilization, use.perplexity, duration_text(left * per_step)),
                kPlainProgressSeconds);
}

/// Trains from `first_step` (from 0) to the end of the epoch; false where a signal stopped it.
bool Run::train_epoch(uint64_t epoch, uint64_t first_step) {
  const uint64_t steps = static_cast<uint64_t>(step_.steps_per_epoch());
  const uint64_t every = static_cast<uint64_t>(config_.training.checkpoint_every_steps);
  for (uint64_t i = first_step; i < steps; ++i) {
    step_.run(static_cast<int64_t>(i));
    ++steps_this_session_;
    rows_this_epoch_ += step_.rows_of(static_cast<int64_t>(i));
    const uint64_t step = epoch * steps + i + 1;
    if (every > 0 && step % every == 0 && i + 1 < steps) {
      save(folder_.step_checkpoint(step));
      folder_.prune_step_checkpoints(kKeptStepCheckpoints);
    }
    if (interrupt_->requested()) {
      save(folder_.file("last.safetensors"));
      console_.line(fmt::format("Interrupted at step {}; saved {}; go on with --resume auto", step,
                                last_saved_));
      return false;
    }
    show_progress(epoch, i + 1);
  }
  return true;
}

EpochNumbers Run::measure(uint64_t epoch) {
  EpochNumbers numbers{.losses = step_.losses(), .train = state_.read_sums(), .validation = {},
                       .use = code_use(model_.quantizer().usage().to_host()),
                       .resets = model_.quantizer().resets(), .epoch = epoch + 1,
                       .epochs = static_cast<uint64_t>(config_.training.num_epochs),
                       .step = state_.read().step, .rows = rows_this_epoch_,
                       .seconds = now_seconds() - epoch_start_,
                       .learning_rate = state_.read().now.learning_rate[kModelGroup],
                       .last_validation_total = {}};
  for (double& sum : numbers.train) sum /= static_cast<double>(data_.train.size());
  const bool due = (epoch + 1) % static_cast<uint64_t>(config_.training.validation_interval) == 0 ||
                   numbers.epoch == numbers.epochs;
  if (!data_.validation.empty() && due) {
    numbers.validation = evaluate_losses(model_, data_.set.source(), data_.validation,
                                         step_.losses(), kEvaluationBatch);
    for (size_t i = 0; i < numbers.validation.size(); ++i)
      if (!std::isfinite(numbers.validation[i]))
        fail_numeric(numbers.step, "the validation " + step_.losses()[i].name + " loss is not finite");
    progress_.last_validation = numbers.total(numbers.validation);
    progress_.has_validation = 1;
  }
  if (progress_.has_validation != 0) numbers.last_validation_total = progress_.last_validation;
  return numbers;
}

void Run::end_epoch(uint64_t epoch) {
  check_finite();
  const EpochNumbers numbers = measure(epoch);
  console_.line(epoch_block(numbers));
  const nlohmann::ordered_json line = metrics_line(numbers);
  folder_.append_metrics(line);
  for (const auto& [key, value] : line.items())
    if (value.is_number()) report_.last[key] = value.get<double>();
  // The next epoch begins here, so that a checkpoint is a whole step boundary.
  StepState state = state_.read();
  state.epoch = epoch + 1;
  state.step_in_epoch = 0;
  state_.write(state);
  state_.write_sums(std::vector<double>(step_.losses().size()));
  const bool validated = !numbers.validation.empty();
  // By the reconstruction alone: the commitment grows with the scale of the latents while
  // reconstructions still improve (Fashion-MNIST: total lowest in epoch 8, error lowest in 40).
  const double error = (validated ? numbers.validation : numbers.train).front();
  const bool comparable = validated || data_.validation.empty();
  const bool best = comparable && (progress_.has_best == 0 || error < progress_.best_error);
  if (best) {
    progress_.best_error = error;
    progress_.has_best = 1;
  }
  // The best first: where the program is killed between the two, last is of the epoch before, and
  // the epoch is trained again.
  if (best) save(folder_.file("best.safetensors"));
  save(folder_.file("last.safetensors"));
  folder_.prune_step_checkpoints(0);
  folder_.write_history();
}

TrainReport Run::train() {
  console_.detail(to_yaml(config_));
  report_.folder = folder_.path();
  start_or_resume();
  interrupt_.emplace();
  if (state_.read().epoch < static_cast<uint64_t>(config_.training.num_epochs))
    folder_.write_config(config_);
  console_.line(fmt::format("Training on {}: {} rows of {} features, {} steps an epoch, {} parameters",
                            to_string(device_), data_.train.size(), data_.set.cols(),
                            step_.steps_per_epoch(),
                            model_.model_group().parameter_count() +
                                model_.codebook_group().parameter_count()));
  if (config_.quantizer.kind == "ema")
    console_.detail("Parameter group codebook is empty: the codebook follows running averages");
  session_start_ = now_seconds();
  // From here on there is always something to resume from.
  if (last_saved_.empty()) save(folder_.file("last.safetensors"));
  StepState state = state_.read();
  const auto epochs = static_cast<uint64_t>(config_.training.num_epochs);
  for (uint64_t epoch = state.epoch; epoch < epochs; ++epoch) {
    epoch_start_ = now_seconds();
    rows_this_epoch_ = 0;
    state_.write_schedule(schedule_rows(config_.training, static_cast<int64_t>(epoch),
                                        step_.steps_per_epoch()));
    const uint64_t first_step = epoch == state.epoch ? state.step_in_epoch : 0;
    if (first_step == 0) model_.quantizer().clear_usage();
    if (!train_epoch(epoch, first_step)) {
      report_.interrupted = true;
      break;
    }
    end_epoch(epoch);
  }
  if (state.epoch >= epochs) {
    console_.line(fmt::format("Nothing to do: {} of {} epochs are trained", state.epoch, epochs));
    const std::string last = folder_.file("last.safetensors");
    if (last_saved_ != last) save(last);  // resumed from elsewhere, or it was broken
  }
  state = state_.read();
  report_.epochs = state.epoch;
  report_.steps = state.step;
  report_.seconds = seconds_before_ + now_seconds() - session_start_;
  return report_;
}

}  // namespace

TrainReport train(const TrainOptions& options, Console& console) {
  return Run(options, console).train();
}

}  // namespace tessera
