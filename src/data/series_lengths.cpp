#include "tessera/series_lengths.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tessera/error.h"
#include "tessera/kernels/philox.h"

namespace tessera {
namespace {

constexpr int kBetween = 3;  // validation lengths between the shortest and the longest

/// How far the least length of a curriculum has come at p in [0, 1).
double progress(const std::string& schedule, double p) {
  if (schedule == "cosine") return (1 - std::cos(std::numbers::pi * p)) / 2;
  if (schedule == "exponential") return 1 - std::exp(-5 * p);
  return p;
}

/// Source: the quantile function of the exponential distribution cut off at `range`.
double geometric_excess(double u, double range, double decay) {
  return -std::log(1 - u * (1 - std::exp(-decay * range))) / decay;
}

}  // namespace

SeriesLengths::SeriesLengths(const VariableLengthParams& params, uint64_t seed,
                             const std::string& where)
    : params_(params), seed_(seed) {
  const std::string problem = contradiction(params);
  require(problem.empty(), ErrorKind::Config, where, problem);
  TESSERA_CHECK(params.enabled, where, ": lengths do not vary");
}

int64_t SeriesLengths::least(uint64_t epoch) const {
  const auto epochs = static_cast<uint64_t>(params_.curriculum_epochs);
  if (!params_.use_length_curriculum || epoch >= epochs) return params_.min_timesteps;
  const double p = static_cast<double>(epoch) / static_cast<double>(epochs);
  const int64_t start = params_.curriculum_start_min.value_or(params_.max_timesteps);
  const double fall =
      progress(params_.curriculum_schedule, p) * static_cast<double>(start - params_.min_timesteps);
  return start - static_cast<int64_t>(fall);
}

int32_t SeriesLengths::length(uint64_t epoch, int64_t sample, int32_t available) const {
  const auto u = static_cast<double>(kernels::random_uniform(seed_, kernels::kStreamLengths, epoch,
                                                             static_cast<uint64_t>(sample)));
  const int64_t low = least(epoch), high = params_.max_timesteps;
  int64_t drawn = high;
  if (params_.sampling_strategy == "fixed_bins") {
    const auto& bins = params_.length_bins;
    const auto weight = [&](size_t i) {
      return bins[i] < low ? 0.0 : params_.bin_weights.empty() ? 1.0 : params_.bin_weights[i];
    };
    double left = 0;
    for (size_t i = 0; i < bins.size(); ++i) left += weight(i);
    left *= u;
    drawn = bins.back();
    for (size_t i = 0; i < bins.size(); ++i) {
      if (left < weight(i)) {
        drawn = bins[i];
        break;
      }
      left -= weight(i);
    }
  } else {
    const auto range = static_cast<double>(high - low);
    const double excess = params_.sampling_strategy == "geometric"
                              ? geometric_excess(u, range, params_.geometric_decay)
                              : u * (range + 1);
    drawn = std::min(high, low + static_cast<int64_t>(excess));
  }
  return static_cast<int32_t>(std::min<int64_t>(drawn, available));
}

std::vector<int64_t> SeriesLengths::validation_lengths() const {
  if (!params_.length_bins.empty()) return params_.length_bins;
  // Equal ratios: 16, 32, 64, 128, 256 of 16 to 256.
  const double ratio =
      static_cast<double>(params_.max_timesteps) / static_cast<double>(params_.min_timesteps);
  static_assert(kBetween == 3, "two square roots make four equal ratios");
  const double factor = std::sqrt(std::sqrt(ratio));
  std::vector<int64_t> lengths = {params_.min_timesteps};
  auto next = static_cast<double>(params_.min_timesteps);
  for (int i = 0; i < kBetween; ++i) lengths.push_back(std::llround(next *= factor));
  lengths.push_back(params_.max_timesteps);
  lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
  return lengths;
}

}  // namespace tessera
