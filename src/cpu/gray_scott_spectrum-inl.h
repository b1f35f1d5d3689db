// The radial power spectrum of one field, once per target; the features it gives are in
// tessera/kernels/gray_scott.h.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "cpu/gray_scott_tables.h"
#include "cpu/simd_tile-inl.h"
#include "tessera/kernels/gray_scott.h"

#if defined(TESSERA_CPU_GRAY_SCOTT_SPECTRUM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CPU_GRAY_SCOTT_SPECTRUM_INL_H
#undef TESSERA_CPU_GRAY_SCOTT_SPECTRUM_INL_H
#else
#define TESSERA_CPU_GRAY_SCOTT_SPECTRUM_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

/// c = op(a) b, all [64, 64]: op(a)(r, k) is a[r * a_row + k * a_step].
HWY_INLINE void gray_product(const real* a, int64_t a_row, int64_t a_step, const real* b, real* c) {
  constexpr int kVectors = 2;
  for (int64_t row = 0; row < kGraySide; row += kTileRows)
    for (int64_t col = 0; col < kGraySide; col += kVectors * kRealLanes) {
      Tile<kTileRows, kVectors> acc;
      for (auto& vectors : acc)
        for (auto& vector : vectors) vector = hn::Zero(RealTag());
      accumulate<kTileRows, kVectors>(a + row * a_row, a_row, a_step, b + col, kGraySide, kGraySide,
                                      acc);
      for (int r = 0; r < kTileRows; ++r)
        for (int v = 0; v < kVectors; ++v)
          hn::Store(acc[r][v], RealTag(), c + (row + r) * kGraySide + col + v * kRealLanes);
    }
}

/// Adds the power of `field` [64, 64], mean removed, to the shells of their radius.
///
/// With C, S the cosine and sine halves of the basis W and P = W^T X W, the four components
/// (+-k, +-l) together have the power 4 (P[k,l]^2 + P[k,32+l]^2 + P[32+k,l]^2 + P[32+k,32+l]^2);
/// on an axis the sine parts are 0 and two coincide. `rows` and `waves` are working memory.
HWY_INLINE void gray_shells(const GrayTables& tables, const real* field, real* rows, real* waves,
                            double (&shells)[kGrayShells]) {
  const RealTag d;
  gray_product(field, kGraySide, 1, tables.basis, rows);
  gray_product(tables.basis, 1, kGraySide, rows, waves);
  real* power = rows;
  for (int64_t k = 0; k < kGrayWaves; ++k)
    for (int64_t l = 0; l < kGrayWaves; l += kRealLanes) {
      const real *cosine = waves + k * kGraySide + l, *sine = cosine + kGrayWaves * kGraySide;
      const auto a = hn::Load(d, cosine), b = hn::Load(d, cosine + kGrayWaves);
      const auto e = hn::Load(d, sine), f = hn::Load(d, sine + kGrayWaves);
      const auto sum = mul_add(f, f, mul_add(e, e, mul_add(b, b, hn::Mul(a, a))));
      hn::Store(hn::Mul(sum, hn::Load(d, tables.weight + k * kGrayWaves + l)), d,
                power + k * kGrayWaves + l);
    }
  std::fill_n(shells, kGrayShells, 0.0);
  for (int64_t i = 0; i < kGrayWaves * kGrayWaves; ++i)
    shells[tables.shell[i]] += static_cast<double>(power[i]);
}

/// The spectral features of one frame.
HWY_INLINE void gray_spectral_features(const double (&shells)[kGrayShells], real* out) {
  double total = 0, moment = 0;
  double bands[kGrayBands] = {};
  for (int r = 1, band = 0; r < kGrayShells; ++r) {
    total += shells[r];
    moment += r * shells[r];
    if (r > kGrayBandLast[band]) ++band;
    bands[band] += shells[r];
  }
  double entropy = 0;
  int peak = 1;
  for (int r = 1; r < kGrayShells; ++r) {
    const double share = shells[r] / total;
    if (share > 0) entropy -= share * math::portable_log(share);
    if (shells[r] > shells[peak]) peak = r;
  }
  double around = 0, weighted = 0;
  for (int r = std::max(1, peak - 1); r <= std::min(kGrayShells - 1, peak + 1); ++r) {
    around += shells[r];
    weighted += r * shells[r];
  }
  for (int band = 0; band < kGrayBands; ++band) out[kFrameBand0 + band] = real(bands[band] / total);
  out[kFrameCentroid] = real(moment / total);
  out[kFrameSpectralEntropy] = real(entropy / math::portable_log(kGrayShells - 1));
  out[kFrameWavelength] = real(kGraySide * around / weighted);
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
