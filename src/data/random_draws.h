#pragma once

#include <cmath>
#include <cstdint>

#include "tessera/kernels/philox.h"
#include "tessera/kernels/portable_math.h"

namespace tessera {

/// Random numbers in the order they are asked for: a function of seed, stream, step and how many were
/// asked for before, with the same bits on every machine.
class RandomDraws {
 public:
  RandomDraws(uint64_t seed, uint32_t stream, uint64_t step, uint64_t first = 0)
      : seed_(seed), step_(step), next_(first), stream_(stream) {}

  float uniform() { return kernels::random_uniform(seed_, stream_, step_, next_++); }
  float between(float low, float high) { return low + (high - low) * uniform(); }
  /// 0 to count - 1.
  int one_of(int count) { return static_cast<int>(between(0, static_cast<float>(count))); }
  /// Standard normal. Source: Box and Muller 1958.
  double normal() {
    const double radius = 1 - static_cast<double>(uniform());  // (0, 1]
    const double turns = static_cast<double>(uniform());
    return std::sqrt(-2 * math::portable_log(radius)) * math::portable_cos_turns(turns);
  }

 private:
  uint64_t seed_, step_, next_;
  uint32_t stream_;
};

}  // namespace tessera
