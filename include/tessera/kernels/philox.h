#pragma once

#include <cstdint>

#include "tessera/kernels/host_device.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

struct Random4 {
  uint32_t word[4];
};

/// Philox4x32 with 10 rounds: 128 bits of counter and 64 of key to four random words.
/// Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 4.3.
TESSERA_HD Random4 philox(const uint32_t counter[4], uint64_t key) {
  uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * c0;
    const uint64_t p1 = uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

/// Who draws: one number per use, so that no two uses share random numbers. Uses of which a model
/// has several add their index to one of the last two.
enum RandomStream : uint32_t {
  kStreamInit = 1,                       // parameter values; counted by parameter
  kStreamSplit = 2,                      // train / validation split
  kStreamShuffle = 3,                    // order of an epoch
  kStreamKmeans = 4,                     // k-means++ draws
  kStreamSample = 5,                     // rows that k-means sees
  kStreamSynthetic = 7,                  // generated images
  kStreamSimulate = 8,                   // rates and initial fields; counted by sample
  kStreamPlanted = 9,                    // planted categories
  kStreamGumbel = 10,                    // noise of category assignments
  kStreamLengths = 11,                   // lengths of series; counted by sample
  kStreamBatch = 30,                     // batch rows drawn with replacement
  kStreamGapReferences = 20,             // data without structure, for the gap statistic
  kStreamDropout = 1000,                 // + layer
  kStreamDeadCodes = uint32_t{1} << 30,  // + codebook: rows that replace dead codes
};

/// Uniform in [0, 1), exact on every backend: a function of (seed, stream, step, element) alone.
/// `stream` is one number per use in the model. step < 2^32; four elements share one evaluation.
TESSERA_HD float random_uniform(uint64_t seed, uint32_t stream, uint64_t step, uint64_t element) {
  const uint64_t block = element / 4;
  const uint32_t counter[4] = {static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                               static_cast<uint32_t>(step), stream};
  return static_cast<float>(philox(counter, seed).word[element % 4] >> 8) * 0x1p-24f;
}

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
