#pragma once

#include "tessera/kernels/philox.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// Position `index` of a pseudo-random permutation of [0, size), without storing it.
///
/// A Feistel network of six rounds over the smallest even number of bits that holds `size`, walked
/// until the value falls inside (fewer than 4 walks on average). Round keys are Philox words of
/// (seed, stream, epoch); integer arithmetic only, so all backends agree. index < size < 2^62.
/// Source: Black and Rogaway 2002, "Ciphers with arbitrary finite domains", section 3.
TESSERA_HD uint64_t permuted_index(uint64_t seed, uint32_t stream, uint64_t epoch, uint64_t index,
                                   uint64_t size) {
  if (size < 2) return 0;
  int half_bits = 1;
  while ((uint64_t{1} << (2 * half_bits)) < size) ++half_bits;
  const uint64_t mask = (uint64_t{1} << half_bits) - 1;
  const uint32_t low[4] = {0, 0, static_cast<uint32_t>(epoch), stream};
  const uint32_t high[4] = {1, 0, static_cast<uint32_t>(epoch), stream};
  const Random4 first = philox(low, seed), second = philox(high, seed);
  do {
    uint64_t left = index >> half_bits, right = index & mask;
    for (int round = 0; round < 6; ++round) {
      uint64_t mixed = right + (round < 4 ? first.word[round] : second.word[round - 4]);
      mixed = (mixed ^ (mixed >> 16)) * 0x9E3779B97F4A7C15u;
      mixed = (mixed ^ (mixed >> 29)) * 0xBF58476D1CE4E5B9u;
      mixed ^= mixed >> 32;
      const uint64_t next = left ^ (mixed & mask);
      left = right;
      right = next;
    }
    index = left << half_bits | right;
  } while (index >= size);
  return index;
}

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
