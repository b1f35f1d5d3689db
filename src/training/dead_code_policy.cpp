#include "training/dead_code_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tessera {
namespace {

constexpr int kLookback = 10;             // epochs of a mean
constexpr double kLowUse = 0.25;          // above it nothing is wrong
constexpr double kEmergencyUse = 0.15;    // below it nothing else is asked
constexpr double kCollapse = 0.05;        // fall of the use from one mean to the next
constexpr double kSteady = 0.01;          // change of the use that is none
constexpr double kStillLearning = 0.005;  // fall of the loss
constexpr int64_t kAboutToEnd = 30;       // epochs without improvement
constexpr int64_t kCategoryWait = 25, kCollapseWait = 10;  // epochs since the last reset, at least

/// How often and how much, by the age of the run: late resets disturb more than they help.
struct Pace {
  int64_t interval;
  double fraction;
};
Pace pace_at(uint64_t epoch) {
  if (epoch < 100) return {50, 1.0};
  if (epoch < 200) return {100, 0.7};
  return {200, 0.5};
}

/// Means of the last ten epochs and of the ten before.
struct Trend {
  double before, recent;
  double fall() const { return before - recent; }
};
Trend trend_of(const double (&values)[DeadCodeHistory::kEpochs]) {
  const auto mean = [](const double* first) {
    return std::accumulate(first, first + kLookback, 0.0) / kLookback;
  };
  static_assert(DeadCodeHistory::kEpochs == 2 * kLookback);
  return {mean(values), mean(values + kLookback)};
}

std::string percent(double share) { return fmt::format("{:.1f}%", 100 * share); }

/// The first category that is collapsed; null where none is.
const CategoryUse* collapsed(std::span<const CategoryUse> categories) {
  const auto found = std::ranges::find_if(categories, [](const CategoryUse& category) {
    return category.utilization < collapsed_utilization(category.features);
  });
  return found == categories.end() ? nullptr : &*found;
}

}  // namespace

double collapsed_utilization(int64_t features) {
  if (features <= 0) return 0.10;
  if (features <= 5) return 0.05;
  if (features <= 15) return 0.05 + 0.005 * static_cast<double>(features - 5);
  if (features <= 50) return 0.10 + 0.0014 * static_cast<double>(features - 15);
  return 0.15;
}

DeadCodeDecision decide_dead_code_reset(const DeadCodeEvidence& e) {
  const Pace pace = pace_at(e.epoch);
  const DeadCodeHistory& history = e.history;
  const auto reset = [&](std::string reason) {
    return DeadCodeDecision{true, pace.fraction * e.max_fraction, std::move(reason)};
  };
  const auto keep = [](std::string reason) {
    return DeadCodeDecision{false, 0, std::move(reason)};
  };
  if (history.size() == 0) return keep("no epoch was seen");
  const auto waited = static_cast<int64_t>(e.epoch) - static_cast<int64_t>(history.last_reset);
  const double use = history.utilization[history.size() - 1];
  const bool has_trend = history.size() == DeadCodeHistory::kEpochs;
  const Trend used = trend_of(history.utilization), loss = trend_of(history.loss);

  if (const CategoryUse* category = collapsed(e.categories);
      category != nullptr && waited >= std::max(pace.interval / 2, kCategoryWait))
    return reset(fmt::format("category emergency: {} uses {} of its codes, below {}",
                             category->name, percent(category->utilization),
                             percent(collapsed_utilization(category->features))));
  if (has_trend && e.epoch > DeadCodeHistory::kEpochs && used.fall() > kCollapse &&
      waited >= kCollapseWait)
    return reset(fmt::format("collapse: use fell from {} to {}", percent(used.before),
                             percent(used.recent)));
  if (waited < pace.interval)
    return keep(fmt::format("{} of {} epochs since the last reset", waited, pace.interval));
  if (use < kEmergencyUse)
    return reset(fmt::format("emergency: {} of the codes used", percent(use)));
  if (use > kLowUse) return keep(fmt::format("{} of the codes used", percent(use)));
  if (has_trend) {
    const bool declining = used.fall() > kSteady;
    const bool stable_low = used.recent < kLowUse && std::abs(used.fall()) < kSteady;
    if (!declining && !stable_low) return keep("use is neither falling nor stuck");
    if (loss.fall() > kStillLearning)
      return keep(fmt::format("the loss still falls, by {:.4f}", loss.fall()));
  }
  if (e.epochs_without_improvement > kAboutToEnd)
    return keep(fmt::format("no improvement for {} epochs", e.epochs_without_improvement));
  return reset(fmt::format("low use: {} of the codes", percent(use)));
}

}  // namespace tessera
