#include "training/assignment_training.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "tessera/category_assignment.h"
#include "tessera/discovery.h"
#include "training/schedule.h"
#include "training/training_step.h"

namespace tessera {
namespace {

constexpr int64_t kModularitySteps = 3000;
constexpr int64_t kEvaluationBatch = 1024;
// Work on the first layers below which features are listed one by one; above it one matrix product of
// all is as fast.
constexpr double kWorthListing = 0.6;

TemperatureOptions temperature_options(const LearnableAssignmentConfig& config) {
  return {.start = config.temperature_start,
          .end = config.temperature_end,
          .schedule = config.temperature_schedule,
          .hold = config.temperature_hold};
}

/// The categories that the columns are sorted by.
std::vector<int32_t> discovered(const ModelFeatures& features) {
  std::vector<int32_t> category_of;
  for (size_t k = 0; k < features.categories.size(); ++k)
    category_of.insert(category_of.end(), static_cast<size_t>(features.categories[k].features),
                       static_cast<int32_t>(k));
  return category_of;
}

std::vector<float> modularity_of(const RunData& data, const std::string& kind) {
  return modularity_matrix(training_correlations(data, kind), data.set.cols());
}

}  // namespace

std::vector<double> training_correlations(const RunData& data, const std::string& kind) {
  const Tensor train = gather_rows(data.set.source(), data.train, 0, data.train.size(), {});
  const int64_t rows = train.rows(), cols = train.cols();
  const std::vector<float> values = train.to_host();
  if (kind == "correlation") return correlation_matrix({values.data(), rows, cols, cols}).values;
  std::vector<float> with_squares;
  with_squares.reserve(2 * values.size());
  for (int64_t n = 0; n < rows; ++n) {
    const float* row = values.data() + n * cols;
    with_squares.insert(with_squares.end(), row, row + cols);
    for (int64_t i = 0; i < cols; ++i) with_squares.push_back(row[i] * row[i]);
  }
  return strongest_correlations(
      correlation_matrix({with_squares.data(), rows, 2 * cols, 2 * cols}).values, cols);
}

AssignmentTraining::AssignmentTraining(Tokenizer& model, const Config& config, const RunData& data,
                                       int64_t steps_per_epoch, AssignmentProgress& progress)
    : model_(model),
      learned_(*model.learned()),
      config_(config),
      data_(data),
      steps_per_epoch_(steps_per_epoch),
      progress_(progress) {
  const LearnableAssignmentConfig& own = config.learnable_assignment;
  if (own.modularity_weight > 0)
    learned_.set_modularity(modularity_of(data, own.modularity),
                            0.8 * double(config.training.num_epochs * steps_per_epoch));
}

void AssignmentTraining::start(Console& console) {
  const LearnableAssignmentConfig& own = config_.learnable_assignment;
  const auto& families = learned_.options().families;
  const auto seed = static_cast<uint64_t>(config_.training.seed);
  const bool random = own.init_method == "random";
  const bool hybrid = std::ranges::any_of(config_.families, [](const FamilyConfig& family) {
    return family.encoder == "InitialHybridEncoder";
  });
  console.line(hybrid ? "[LEARNABLE ASSIGNMENT MODE with HYBRID ENCODER]"
                      : "[LEARNABLE ASSIGNMENT MODE]");
  console.line("Creating learnable categorical VQ-VAE with end-to-end assignment learning");
  console.line(fmt::format("Initializing assignment matrix from {}...",
                           random ? "random logits" : "clustering"));
  std::vector<float> logits = random
                                  ? random_logits(families, seed)
                                  : initial_logits(families, discovered(data_.features),
                                                   own.assignment_init);
  const int64_t steps = own.modularity_steps.value_or(random ? kModularitySteps : 0);
  if (steps > 0) {
    logits = learn_from_correlations(families, modularity_of(data_, own.modularity), steps, seed,
                                     model_.device(), console);
    logits = initial_logits(families, hard_assignment(families, logits), own.assignment_init);
    console.line(fmt::format("Logits learned from correlations alone in {} steps", steps));
  }
  learned_.write_logits(logits);
  learned_.begin_at(learned_.hard());
  learned_.keep_epoch_logits();
  console.line(fmt::format("Assignment matrix initialized: {}",
                           families.size() > 1 ? "PerFamilyAssignmentMatrix"
                                               : "SoftAssignmentMatrix"));
}

void AssignmentTraining::introduce(Console& console) const {
  const LearnableAssignmentConfig& own = config_.learnable_assignment;
  console.line("Learnable assignment training enabled:");
  console.line(fmt::format("  Assignment LR: {}", own.assignment_lr));
  console.line(fmt::format("  Temperature schedule: {}", own.temperature_schedule));
  console.line(fmt::format("  Assignment orthogonality weight: {}", own.orthogonality_weight));
  console.line(fmt::format("  Assignment balance weight: {}", own.balance_weight));
  console.line(fmt::format("  Gradient clip norm: {:.1f}", own.gradient_clip_norm));
  if (own.informativeness == "hard")
    console.warning(
        "learnable_assignment.informativeness is hard: the term gives the logits no gradient, and most "
        "misplaced features stay so; leave it at soft but for comparison");
  const double reach =
      own.assignment_lr * double(config_.training.num_epochs * steps_per_epoch_);
  if (own.init_method == "clustering" && reach < 2 * own.assignment_init)
    console.warning(fmt::format(
        "a logit moves by at most about assignment_lr x steps = {:.3g}, features of another category "
        "start {:.3g} behind: hardly any will change; raise learnable_assignment.assignment_lr or "
        "training.num_epochs",
        reach, 2 * own.assignment_init));
}

void AssignmentTraining::freeze_where_due(int64_t epoch, Console& console) {
  const LearnableAssignmentConfig& own = config_.learnable_assignment;
  if (progress_.frozen != 0) return;
  std::string why;
  if (own.freeze_after_epochs && epoch > *own.freeze_after_epochs)
    why = fmt::format("after {} epochs", *own.freeze_after_epochs);
  if (own.freeze_threshold) {
    const std::vector<float> shares =
        soft_assignment(learned_.options().families, learned_.epoch_logits(), 1);
    double largest = 0;
    for (int64_t i = 0; i < learned_.features(); ++i)
      largest += double(*std::max_element(shares.begin() + i * learned_.categories(),
                                          shares.begin() + (i + 1) * learned_.categories()));
    largest /= double(learned_.features());
    if (largest >= *own.freeze_threshold)
      why = fmt::format("the mean largest share is {:.4f}", largest);
  }
  if (why.empty()) return;
  progress_.frozen = 1;
  console.line(fmt::format("Assignments frozen before epoch {}: {}", epoch, why));
}

/// The total of the losses on the validation rows.
double AssignmentTraining::validation_total() const {
  const std::vector<WeightedLoss> losses = training_losses(config_);
  const RowsNow now = data_.validation_now(model_);
  const std::vector<double> values =
      evaluate_losses(model_, now.source, now.rows, losses, kEvaluationBatch);
  double total = 0;
  for (size_t i = 0; i < losses.size(); ++i) total += losses[i].weight * values[i];
  return total;
}

/// Leaves out shares below `threshold` for the first time, and says what that changes.
void AssignmentTraining::begin_skipping(double threshold, double left, Console& console) {
  const bool measures = !data_.validation.empty();
  const double before = measures ? validation_total() : 0;
  learned_.skip_below(threshold);
  std::string said = fmt::format(
      "Categories read and give back {:.1f}% of the features from now on (shares of {:g} and more)",
      100 * left, threshold);
  if (measures) {
    const double after = validation_total();
    said += fmt::format("; the validation total goes from {:.6f} to {:.6f} (by {:+.2e})", before,
                        after, after - before);
  }
  console.line(said);
}

/// Which features the first layers read and the own decoders give back this epoch.
bool AssignmentTraining::list_features(Console& console) {
  const double threshold = config_.learnable_assignment.skip_threshold;
  const bool frozen = progress_.frozen != 0;
  if ((threshold <= 0 && !frozen) || listed_frozen_) return false;
  const double left = learned_.work_left(frozen ? 0.5 : threshold);
  if (left > kWorthListing && !is_listed_) return false;
  const double below = left > kWorthListing ? 0 : frozen ? 0.5 : threshold;
  if (!is_listed_)
    begin_skipping(below, left, console);
  else
    learned_.skip_below(below);
  is_listed_ = below > 0;
  listed_frozen_ = frozen && is_listed_;  // nothing changes any more
  return true;
}

bool AssignmentTraining::begin_epoch(int64_t epoch, bool goes_on, Console& console) {
  const LearnableAssignmentConfig& own = config_.learnable_assignment;
  if (!goes_on) {
    learned_.keep_epoch_logits();
    freeze_where_due(epoch, console);
  }
  if (own.temperature_schedule == "adaptive")
    temperature_ = progress_.temperature > 0 ? progress_.temperature : own.temperature_start;
  else
    temperature_ = temperature_at(temperature_options(own), epoch, config_.training.num_epochs);
  learned_.set_evaluation(temperature_, false);
  const bool froze = learned_.freeze(progress_.frozen != 0);  // before losses are compared
  return list_features(console) || froze;
}

void AssignmentTraining::add_to(std::vector<ScheduleRow>& rows, int64_t epoch) const {
  const LearnableAssignmentConfig& own = config_.learnable_assignment;
  for (size_t i = 0; i < rows.size(); ++i) {
    const int64_t step = (epoch - 1) * steps_per_epoch_ + static_cast<int64_t>(i) + 1;
    rows[i].temperature = float(temperature_);
    rows[i].learning_rate[kAssignmentGroup] =
        progress_.frozen != 0
            ? 0
            : float(own.assignment_lr * rate_factor(own.schedule, step,
                                                    config_.training.num_epochs * steps_per_epoch_,
                                                    epoch - 1));
    rows[i].clip_norm[kAssignmentGroup] = float(own.gradient_clip_norm);
  }
}

AssignmentNumbers AssignmentTraining::end_epoch(Console& console) {
  const auto& families = learned_.options().families;
  const std::vector<float> logits = learned_.logits();
  const std::vector<int32_t> now = hard_assignment(families, logits);
  AssignmentNumbers numbers{
      .temperature = temperature_,
      .entropy = normalized_entropy(families, soft_assignment(families, logits, 1)),
      .gradient_rows = learned_.rows_with_gradient(config_.training.adam_epsilon),
      .changed = changed_features(hard_assignment(families, learned_.epoch_logits()), now),
      .moved = changed_features(learned_.initial(), now),
      .categories = learned_.categories()};
  if (config_.learnable_assignment.temperature_schedule == "adaptive") {
    const AdaptiveState next =
        after_epoch({.start = config_.learnable_assignment.temperature_start,
                     .end = config_.learnable_assignment.temperature_end},
                    {.temperature = progress_.temperature,
                     .entropy = progress_.entropy,
                     .unchanged = static_cast<int64_t>(progress_.unchanged),
                     .is_settled = progress_.is_settled != 0},
                    numbers.entropy, numbers.changed);
    progress_.temperature = next.temperature;
    progress_.entropy = next.entropy;
    progress_.unchanged = double(next.unchanged);
    progress_.is_settled = next.is_settled ? 1 : 0;
  }
  const std::optional<int32_t> collapsed = collapsed_category(families, now);
  if (collapsed && !warned_) {
    console.warning(fmt::format(
        "the assignment has collapsed: all features are in category {}; increase "
        "learnable_assignment.balance_weight (from 0.05 to 0.10) or temperature_end (from 0.1 to 0.3)",
        data_.features.categories[static_cast<size_t>(*collapsed)].name));
    warned_ = true;
  }
  return numbers;
}

}  // namespace tessera
