#pragma once

#include <cstdint>
#include <vector>

#include "tessera/encoder_params.h"

namespace tessera {

/// Lengths of series in training: a function of (seed, epoch, sample) alone.
///
///   uniform      integers of [min, max]
///   geometric    min - ln(1 - u (1 - e^(-decay (max - min)))) / decay, rounded down, u uniform
///   fixed_bins   one of the bins inside [min, max], by their weights
/// Under a curriculum min of epoch e is start - a (start - min), with p = e / epochs and a = p (linear),
/// (1 - cos(pi p)) / 2 (cosine) or 1 - e^(-5 p) (exponential), and min once p >= 1; epochs from 0.
class SeriesLengths {
 public:
  /// Throws Error (Config) for parameters that contradict themselves, in one sentence with `where`
  /// (families.<name>.encoder_params.variable_length) and the numbers.
  SeriesLengths(const VariableLengthParams& params, uint64_t seed, const std::string& where);

  /// Of sample `sample` in `epoch`, at most `available`.
  int32_t length(uint64_t epoch, int64_t sample, int32_t available) const;
  /// The shortest length that epoch draws.
  int64_t least(uint64_t epoch) const;
  /// Lengths that validation looks at, ascending: the bins, or min, max and three between (powers of 2
  /// steps) where none are given.
  std::vector<int64_t> validation_lengths() const;

 private:
  VariableLengthParams params_;
  uint64_t seed_;
};

}  // namespace tessera
