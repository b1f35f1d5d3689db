#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tessera {

/// How the temperature of an assignment falls over a run. Defaults: the recipe of the customer's
/// learnable mode that repairs misplaced features (held, then exponential).
struct TemperatureOptions {
  double start = 1, end = 0.1;
  std::string schedule = "exponential";  ///< one of temperature_schedules()
  double hold = 0.6;  ///< share of the run, from its begin, at `start`; 1: all of it
};

std::span<const std::string_view> temperature_schedules();

/// The temperature of `epoch` (from 1) of `epochs`, constant within it:
///
///   p = (epoch - 1) / max(1, epochs - 1),   q = max(0, p - hold) / (1 - hold)
///   linear       start + (end - start) q
///   exponential  start (end / start)^q
///   cosine       end + (start - end) (1 + cos(pi q)) / 2
///
/// `start` at epoch 1, `end` at the last one and after it.
/// Throws Error (Config) for an unknown schedule, a temperature that is not positive, and a hold
/// outside [0, 1].
double temperature_at(const TemperatureOptions& options, int64_t epoch, int64_t epochs);

/// The schedule "adaptive": cools when the assignment has come to rest at the present temperature.
struct AdaptiveTemperature {
  double start = 1, end = 0.1;
  double cooling = 0.9;   ///< factor of one cooling
  double at_rest = 0.02;  ///< change of the entropy from epoch to epoch that counts as rest
  double settled = 0.05;  ///< entropy below which features have chosen
  int64_t patience = 5;   ///< epochs without a feature that changes category
};

/// Where an adaptive schedule stands; a checkpoint needs all of it.
struct AdaptiveState {
  double temperature = 0;   ///< of the epoch to come; 0: no epoch yet
  double entropy = -1;      ///< of the last epoch; below 0: none yet
  int64_t unchanged = 0;    ///< epochs since a feature changed its category
  bool is_settled = false;  ///< the temperature stays
};

/// The state after an epoch at whose end the assignment had `entropy` (mean over features of the
/// entropy of their rows by its largest value, 0 to 1: normalized_entropy of category_assignment.h)
/// and `changed` features another category than an epoch before.
///
/// - settled, once entropy <= settled and no feature changed for `patience` epochs: stays as it is
/// - entropy changed by more than at_rest: the temperature stays, the assignment still follows it
/// - else temperature = max(end, temperature cooling)
/// Throws Error (Config) for a temperature that is not positive and a cooling outside (0, 1).
AdaptiveState after_epoch(const AdaptiveTemperature& options, const AdaptiveState& state,
                          double entropy, int64_t changed);

}  // namespace tessera
