#include "tessera/temperature.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "tessera/error.h"

namespace tessera {
namespace {

constexpr std::array<std::string_view, 3> kSchedules = {"linear", "exponential", "cosine"};

void check_range(double start, double end) {
  require(start > 0 && end > 0, ErrorKind::Config, "temperature: from ", start, " to ", end,
          "; both must be above 0");
}

}  // namespace

std::span<const std::string_view> temperature_schedules() { return kSchedules; }

double temperature_at(const TemperatureOptions& options, int64_t epoch, int64_t epochs) {
  check_range(options.start, options.end);
  require(options.hold >= 0 && options.hold <= 1, ErrorKind::Config,
          "temperature_hold: ", options.hold,
          " is not a share of the run; give a number from 0 to 1");
  const double p = std::min(
      1.0, double(std::max<int64_t>(0, epoch - 1)) / double(std::max<int64_t>(1, epochs - 1)));
  const double q = p <= options.hold ? 0 : (p - options.hold) / (1 - options.hold);
  if (options.schedule == "linear") return options.start + (options.end - options.start) * q;
  if (options.schedule == "exponential")
    return options.start * std::pow(options.end / options.start, q);
  require(options.schedule == "cosine", ErrorKind::Config,
          "temperature_schedule: ", options.schedule,
          " is not known; use linear, exponential or cosine");
  return options.end + (options.start - options.end) * (1 + std::cos(std::numbers::pi * q)) / 2;
}

AdaptiveState after_epoch(const AdaptiveTemperature& options, const AdaptiveState& state,
                          double entropy, int64_t changed) {
  check_range(options.start, options.end);
  require(options.cooling > 0 && options.cooling < 1, ErrorKind::Config,
          "temperature cooling: ", options.cooling, " is not a factor between 0 and 1");
  AdaptiveState next = state;
  if (state.temperature == 0) next.temperature = options.start;
  next.entropy = entropy;
  next.unchanged = changed > 0 ? 0 : state.unchanged + 1;
  next.is_settled =
      state.is_settled || (entropy <= options.settled && next.unchanged >= options.patience);
  const bool rests = state.entropy >= 0 && std::abs(entropy - state.entropy) <= options.at_rest;
  if (rests && !next.is_settled)
    next.temperature = std::max(options.end, next.temperature * options.cooling);
  return next;
}

}  // namespace tessera
