#pragma once

#include <cmath>
#include <cstdint>

#include "tessera/kernels/gray_scott.h"
#include "tessera/kernels/portable_math.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

inline constexpr int64_t kGrayWaves = kGraySide / 2;  // components 0 to 31 along one axis
inline constexpr int kGrayShells = 45;                // radii 0 to 44 = round(31 sqrt(2))
inline constexpr int kGrayBands = 8;
inline constexpr int kGrayBandLast[kGrayBands] = {2, 4, 6, 8, 11, 15, 22, 44};
inline constexpr int kGrayBins = 32;

/// Constants of the features of a frame.
struct GrayTables {
  alignas(64) real basis[kGrayCells];  // [j, m]: cos(2 pi j m / 64), then the sines
  alignas(
      64) real weight[kGrayWaves * kGrayWaves];  // components that (k, l) stands for; 0 for none
  uint8_t shell[kGrayWaves * kGrayWaves];        // round(sqrt(k^2 + l^2))
  double count_log[kGrayCells + 1];              // n log n

  GrayTables() {
    for (int64_t j = 0; j < kGraySide; ++j)
      for (int64_t m = 0; m < kGrayWaves; ++m) {
        const double turns = static_cast<double>(j * m % kGraySide) / kGraySide;
        basis[j * kGraySide + m] = real(math::portable_cos_turns(turns));
        basis[j * kGraySide + kGrayWaves + m] = real(math::portable_sin_turns(turns));
      }
    for (int64_t k = 0; k < kGrayWaves; ++k)
      for (int64_t l = 0; l < kGrayWaves; ++l) {
        const int64_t i = k * kGrayWaves + l;
        weight[i] = real((k == 0 && l == 0) ? 0 : (k == 0 || l == 0) ? 2 : 4);
        shell[i] = static_cast<uint8_t>(std::sqrt(static_cast<double>(k * k + l * l)) + 0.5);
      }
    count_log[0] = 0;
    for (int64_t n = 1; n <= kGrayCells; ++n)
      count_log[n] = static_cast<double>(n) * math::portable_log(static_cast<double>(n));
  }
};

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
