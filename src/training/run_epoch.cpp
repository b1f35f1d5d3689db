// An epoch of a run, and how it is saved.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "training/codebook_use.h"
#include "training/dead_code_reset.h"
#include "training/run.h"

namespace tessera {
namespace {

constexpr int64_t kEvaluationBatch = 1024;
constexpr double kPlainProgressSeconds = 30;
constexpr int64_t kResetRows = 4096;  // of those that encoders turn into features between epochs

/// Whether something that is done every so often (0: never) is due after `count`.
bool is_multiple(uint64_t count, int64_t every) {
  return every > 0 && count % static_cast<uint64_t>(every) == 0;
}

}  // namespace

void Run::fail_numeric(uint64_t step, const std::string& what) const {
  fail(ErrorKind::Numeric, "training: step ", step, ": ", what,
       "; last good checkpoint: ", last_saved_.empty() ? "none" : last_saved_,
       "; lower training.learning_rate or set training.gradient_clip_norm");
}

void Run::check_finite() {
  const StepState state = state_.read();
  const int64_t bad_rows = model_->quantizer().rows_not_finite();
  last_check_ = now_seconds();
  if (state.first_bad_step != 0)
    fail_numeric(state.first_bad_step, fmt::format("the {} loss is not finite",
                                                   step_->losses()[state.first_bad_term].name));
  if (bad_rows != 0)
    fail_numeric(state.step, fmt::format("{} latent rows are not finite", bad_rows));
}

/// A step whose loss was finite can still leave values that are not; they would show one step later,
/// when they are already saved as good.
void Run::check_tensors() {
  for (const NamedTensor& named : model_->tensors())
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
  for (uint64_t i = 0; i < done; ++i)
    rows += static_cast<double>(step_->rows_of(static_cast<int64_t>(i)));
  std::vector<double> means;
  for (const double sum : sums) means.push_back(sum / rows);
  const CodeUse use = code_use_so_far();
  const double per_step = (now - session_start_) / static_cast<double>(steps_this_session_);
  const double left = static_cast<double>(config_.training.num_epochs * step_->steps_per_epoch()) -
                      static_cast<double>(epoch * step_->steps_per_epoch() + done);
  std::string losses;
  for (size_t i = 0; i < means.size(); ++i)
    losses += fmt::format(" {}={:.4f}", step_->losses()[i].name, means[i]);
  console_.live(
      fmt::format("Epoch {}/{} step {}/{} {:.0f} rows/s{} used={:.1f}% perplexity={:.0f} ETA {}",
                  epoch + 1, config_.training.num_epochs, done, step_->steps_per_epoch(),
                  static_cast<double>(config_.training.batch_size) / per_step, losses,
                  100 * use.utilization, use.perplexity, duration_text(left * per_step)),
      kPlainProgressSeconds);
}

/// How the codes were used since the epoch began.
CodeUse Run::code_use_so_far() {
  return mean_use(codebook_use(model_->quantizer().table(), model_->quantizer().usage().to_host()));
}

/// Everything here depends on what a checkpoint between epochs holds, so that a resumed run does the
/// same: the use of the codes in the epoch before is still there.
void Run::begin_epoch() {
  Quantizer& quantizer = model_->quantizer();
  if (config_.quantizer.dead_code.policy == "adaptive") {
    const std::vector<CategoryUse> categories =
        category_use(data_.features, codebook_use(quantizer.table(), quantizer.usage().to_host()));
    const uint64_t epoch = state_.read().epoch;
    const RowsNow now = data_.training_now(*model_, kResetRows, state_.seed(), epoch);
    std::vector<int32_t> all(now.encoded ? static_cast<size_t>(now.source.rows) : 0);
    std::iota(all.begin(), all.end(), 0);
    const std::string line =
        reset_dead_codes({.model = *model_,
                          .state = state_,
                          .source = now.source,
                          .train = now.encoded ? all : data_.split.train,
                          .config = config_.quantizer.dead_code,
                          .categories = categories,
                          .epochs_without_improvement = stopping_.epochs_without_improvement(),
                          .history = progress_.dead_codes});
    if (!line.empty()) console_.line(line);
  }
  quantizer.clear_usage();
}

/// Trains from `first_step` (from 0) to the end of the epoch; false where a signal stopped it.
bool Run::train_epoch(uint64_t epoch, uint64_t first_step) {
  const uint64_t steps = static_cast<uint64_t>(step_->steps_per_epoch());
  for (uint64_t i = first_step; i < steps; ++i) {
    step_->run(static_cast<int64_t>(i));
    ++steps_this_session_;
    rows_this_epoch_ += step_->rows_of(static_cast<int64_t>(i));
    const uint64_t step = epoch * steps + i + 1;
    if (is_multiple(step, config_.training.checkpoint_every_steps) && i + 1 < steps) {
      save(folder_.step_checkpoint(step));
      folder_.prune_step_checkpoints(config_.training.keep_last);
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

/// The lengths that series of `steps` steps can have, the whole in place of those beyond it.
std::vector<int64_t> lengths_within(const std::vector<int64_t>& lengths, int64_t steps) {
  std::vector<int64_t> within;
  for (const int64_t length : lengths)
    if (within.empty() || within.back() < steps) within.push_back(std::min(length, steps));
  return within;
}

/// Losses on the validation rows; where series vary in length, their means over the lengths.
void Run::validate(EpochNumbers& numbers) {
  std::vector<int64_t> lengths = {0};  // whole
  if (const auto varying = series_lengths(config_))
    lengths = lengths_within(varying->validation_lengths(), data_.encoded->longest_series());
  numbers.validation.assign(step_->losses().size(), 0);
  double hard = 0;
  for (const int64_t steps : lengths) {
    const RowsNow now = data_.validation_now(*model_, steps);
    const std::vector<double> at =
        evaluate_losses(*model_, now.source, now.rows, step_->losses(), kEvaluationBatch);
    for (size_t i = 0; i < at.size(); ++i)
      numbers.validation[i] += at[i] / static_cast<double>(lengths.size());
    if (steps > 0) numbers.by_length.emplace_back(steps, at.front());
    LearnedAssignment* learned = model_->learned();
    if (!learned) continue;
    const double temperature = learned->temperature();
    learned->set_evaluation(temperature, true);
    hard += evaluate_losses(*model_, now.source, now.rows, {{"reconstruction", 1}},
                            kEvaluationBatch)[0];
    learned->set_evaluation(temperature, false);
    numbers.hard_reconstruction = hard / static_cast<double>(lengths.size());
  }
  for (size_t i = 0; i < numbers.validation.size(); ++i)
    if (!std::isfinite(numbers.validation[i]))
      fail_numeric(numbers.step,
                   "the validation " + step_->losses()[i].name + " loss is not finite");
}

/// Norm of the gradient that the last step brought to the first layer of each encoder that has one;
/// nothing where the epoch's last step was in an earlier session.
std::vector<std::pair<std::string, double>> Run::encoder_gradients() {
  std::vector<std::pair<std::string, double>> norms;
  if (!model_->encoders() || rows_this_epoch_ == 0) return norms;
  for (const FamilySpec& spec : model_->encoders()->specs()) {
    const std::string prefix = "encoders/" + spec.shape.name + '/';
    Parameter* first = nullptr;  // of its CNN, where it has one
    for (Parameter& parameter : model_->model_group().parameters())
      if (parameter.name.starts_with(prefix) &&
          (!first || (parameter.name.starts_with(prefix + "cnn/") &&
                      !first->name.starts_with(prefix + "cnn/"))))
        first = &parameter;
    if (!first || !spec.params.trainable) continue;
    double sum = 0;
    for (const float g : first->grad.to_host()) sum += double(g) * double(g);
    norms.emplace_back(spec.shape.name, std::sqrt(sum));
  }
  return norms;
}

EpochNumbers Run::measure(uint64_t epoch) {
  EpochNumbers numbers{.losses = step_->losses(),
                       .train = state_.read_sums(),
                       .validation = {},
                       .use = code_use_so_far(),
                       .resets = model_->quantizer().resets(),
                       .epoch = epoch + 1,
                       .epochs = static_cast<uint64_t>(config_.training.num_epochs),
                       .step = state_.read().step,
                       .rows = rows_this_epoch_,
                       .seconds = now_seconds() - epoch_start_,
                       .learning_rate = state_.read().now.learning_rate[kModelGroup],
                       .last_validation_total = {}};
  for (double& sum : numbers.train) sum /= static_cast<double>(data_.train.size());
  const bool due = (epoch + 1) % static_cast<uint64_t>(config_.training.validation_interval) == 0 ||
                   numbers.epoch == numbers.epochs;
  if (!data_.validation.empty() && due) {
    validate(numbers);
    progress_.last_validation = numbers.total(numbers.validation);
    progress_.has_validation = 1;
  }
  numbers.encoder_gradients = encoder_gradients();
  if (assignment_) numbers.assignment = assignment_->end_epoch(console_);
  if (progress_.has_validation != 0) numbers.last_validation_total = progress_.last_validation;
  return numbers;
}

void Run::end_epoch(uint64_t epoch) {
  check_finite();
  if (data_.encoded)
    data_.encoded->average_statistics(*model_->encoders(), data_.split.train,
                                      lengths_in(config_, epoch));
  const EpochNumbers numbers = measure(epoch);
  console_.line(epoch_block(numbers));
  const nlohmann::ordered_json line = metrics_line(numbers);
  folder_.append_metrics(line);
  for (const auto& [key, value] : line.items())
    if (value.is_number()) report_.last[key] = value.get<double>();
  final_metrics_ = measured(line);
  // The next epoch begins here, so that a checkpoint is a whole step boundary.
  StepState state = state_.read();
  state.epoch = epoch + 1;
  state.step_in_epoch = 0;
  state_.write(state);
  state_.write_sums(std::vector<double>(step_->losses().size()));
  const bool validated = !numbers.validation.empty();
  // By the reconstruction alone: the commitment grows with the scale of the latents while
  // reconstructions still improve (Fashion-MNIST: total lowest in epoch 8, error lowest in 40).
  const double error = (validated ? numbers.validation : numbers.train).front();
  const bool comparable = validated || data_.validation.empty();
  if (comparable)
    for (const std::string& said : stopping_.observe(epoch + 1, error)) console_.line(said);
  progress_.dead_codes.add(numbers.use.utilization,
                           numbers.last_validation_total.value_or(numbers.total(numbers.train)));
  const bool best = comparable && (progress_.has_best == 0 || error < progress_.best_error);
  if (best) {
    progress_.best_error = error;
    progress_.has_best = 1;
  }
  // The best first: where the program is killed between the two, last is of the epoch before, and
  // the epoch is trained again.
  if (best) save(folder_.file("best.safetensors"));
  save(folder_.file("last.safetensors"));
  if (is_multiple(epoch + 1, config_.training.checkpoint_every_epochs)) {
    save(folder_.step_checkpoint(state.step));
    folder_.prune_step_checkpoints(config_.training.keep_last);
  }
  folder_.write_history();
}

}  // namespace tessera
