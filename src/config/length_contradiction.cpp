// What the parameters of variable lengths say against each other.
#include <algorithm>
#include <numeric>

#include "tessera/encoder_params.h"

namespace tessera {
namespace {

std::string number(int64_t value) { return std::to_string(value); }

std::string bins_contradiction(const VariableLengthParams& p) {
  const auto& bins = p.length_bins;
  for (size_t i = 0; i < bins.size(); ++i) {
    if (bins[i] < p.min_timesteps || bins[i] > p.max_timesteps)
      return ".length_bins has " + number(bins[i]) + ", which is outside of min_timesteps " +
             number(p.min_timesteps) + " to max_timesteps " + number(p.max_timesteps) +
             "; leave it out, or widen the range";
    if (i > 0 && bins[i] <= bins[i - 1])
      return ".length_bins has " + number(bins[i]) + " after " + number(bins[i - 1]) +
             "; bins must ascend";
  }
  if (p.sampling_strategy == "fixed_bins" && bins.empty())
    return ".sampling_strategy is fixed_bins, length_bins is empty; give at least one bin";
  if (p.bin_weights.empty()) return "";
  if (p.bin_weights.size() != bins.size())
    return ".bin_weights has " + number(static_cast<int64_t>(p.bin_weights.size())) +
           " entries, length_bins " + number(static_cast<int64_t>(bins.size())) +
           "; give one weight for each bin";
  // The largest bin is what a curriculum may leave of them.
  if (p.bin_weights.back() <= 0)
    return ".bin_weights gives the longest bin " + number(bins.back()) +
           " no weight; leave the bin out";
  return "";
}

}  // namespace

std::string contradiction(const VariableLengthParams& p) {
  if (!p.enabled) return "";
  if (p.min_timesteps < 1 || p.max_timesteps < 1)
    return ".enabled is true without " +
           std::string(p.min_timesteps < 1 ? "min_timesteps" : "max_timesteps") +
           "; give the shortest and the longest length";
  if (p.min_timesteps >= p.max_timesteps)
    return ".min_timesteps is " + number(p.min_timesteps) + ", max_timesteps " +
           number(p.max_timesteps) + "; the range needs min below max";
  if (const std::string problem = bins_contradiction(p); !problem.empty()) return problem;
  if (!p.use_length_curriculum) return "";
  const int64_t start = p.curriculum_start_min.value_or(p.max_timesteps);
  if (start <= p.min_timesteps || start > p.max_timesteps)
    return ".curriculum_start_min is " + number(start) + "; it must be above min_timesteps " +
           number(p.min_timesteps) + " and at most max_timesteps " + number(p.max_timesteps);
  if (p.sampling_strategy == "fixed_bins" && start > p.length_bins.back())
    return ".curriculum_start_min is " + number(start) + ", the longest of length_bins " +
           number(p.length_bins.back()) + "; no bin would be left in the first epoch";
  return "";
}

}  // namespace tessera
