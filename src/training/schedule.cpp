#include "training/schedule.h"

#include <algorithm>
#include <cmath>

namespace tessera {
double rate_factor(const ScheduleConfig& schedule, int64_t step, int64_t total, int64_t epoch) {
  const double warm =
      schedule.warmup_steps > 0
          ? std::min(1.0, static_cast<double>(step) / static_cast<double>(schedule.warmup_steps))
          : 1.0;
  if (schedule.kind == "cosine") {
    const int64_t span = total - schedule.warmup_steps;
    const double t = span > 0 ? std::clamp(static_cast<double>(step - schedule.warmup_steps) /
                                               static_cast<double>(span), 0.0, 1.0)
                              : 0.0;  // all of it is warm-up
    const double f = schedule.final_fraction;
    return warm * (f + (1 - f) * 0.5 * (1 + std::cos(M_PI * t)));
  }
  const double periods =
      static_cast<double>(epoch) / static_cast<double>(std::max<int64_t>(1, schedule.step_epochs));
  if (schedule.kind == "step") return warm * std::pow(schedule.gamma, std::floor(periods));
  if (schedule.kind == "exponential") return warm * std::pow(schedule.gamma, periods);
  return warm;
}

std::vector<ScheduleRow> schedule_rows(const TrainingConfig& training, int64_t epoch,
                                       int64_t steps_per_epoch) {
  std::vector<ScheduleRow> rows(static_cast<size_t>(steps_per_epoch));
  const double codebook_rate = training.codebook_learning_rate.value_or(training.learning_rate);
  for (int64_t i = 0; i < steps_per_epoch; ++i) {
    const int64_t step = epoch * steps_per_epoch + i + 1;
    const double factor = rate_factor(training.schedule, step,
                                      training.num_epochs * steps_per_epoch, epoch);
    ScheduleRow& row = rows[static_cast<size_t>(i)];
    row.learning_rate[kModelGroup] = static_cast<float>(training.learning_rate * factor);
    row.learning_rate[kCodebookGroup] = static_cast<float>(codebook_rate * factor);
    std::fill(std::begin(row.clip_norm), std::end(row.clip_norm),
              static_cast<float>(training.gradient_clip_norm));
    row.beta1 = static_cast<float>(training.beta1);
    row.beta2 = static_cast<float>(training.beta2);
    row.beta1_correction = static_cast<float>(1 - std::pow(double(row.beta1), step));
    row.beta2_correction = static_cast<float>(1 - std::pow(double(row.beta2), step));
  }
  return rows;
}

}  // namespace tessera
