// What is measured in one frame, once per target; formulas in tessera/kernels/gray_scott.h.
//
// Three passes over fields that lie in the first-level cache, then the spectrum: some 6 us of passes
// and 15 us of spectrum with AVX-512. Sums run in 16 virtual lanes (cell x goes to lane x mod 16),
// in `real`: 256 terms a lane, so the error of a mean is below 256 2^-24 relative.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "cpu/gray_scott_solver-inl.h"
#include "cpu/gray_scott_spectrum-inl.h"

#if defined(TESSERA_CPU_GRAY_SCOTT_FEATURES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CPU_GRAY_SCOTT_FEATURES_INL_H
#undef TESSERA_CPU_GRAY_SCOTT_FEATURES_INL_H
#else
#define TESSERA_CPU_GRAY_SCOTT_FEATURES_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

inline constexpr int kGrayParts = static_cast<int>(kSumLanes / kRealLanes);

/// One value per virtual lane; part p holds lanes p L to p L + L - 1.
struct GrayLanes {
  hn::Vec<RealTag> part[kGrayParts];

  explicit GrayLanes(real start) {
    for (auto& p : part) p = hn::Set(RealTag(), start);
  }
  /// op over the lanes, 0 to 15 in order.
  template <class Op>
  double fold(Op op) const {
    alignas(64) real lanes[kSumLanes];
    for (int p = 0; p < kGrayParts; ++p) hn::Store(part[p], RealTag(), lanes + p * kRealLanes);
    double result = static_cast<double>(lanes[0]);
    for (int64_t i = 1; i < kSumLanes; ++i) result = op(result, static_cast<double>(lanes[i]));
    return result;
  }
  double mean() const {
    return fold([](double a, double b) { return a + b; }) / double(kGrayCells);
  }
  double min() const {
    return fold([](double a, double b) { return std::min(a, b); });
  }
  double max() const {
    return fold([](double a, double b) { return std::max(a, b); });
  }
};

/// Working memory of one sample; what is called `rows` and `waves` belongs to the spectrum.
struct GrayWork {
  real *before, *centred, *rows, *waves;  // [64, 64] each
};

/// Variances below this are rounding of a uniform field; moments and spectra of it mean nothing.
inline constexpr double kGrayFlat = 1e-10;

struct GrayMeans {
  double u, v;
};

/// Calls f(part, i, x) for each vector of cells.
template <class F>
HWY_INLINE void for_gray_cells(F&& f) {
  for (int64_t i = 0; i < kGraySide; ++i)
    for (int64_t x = 0; x < kGraySide; x += kSumLanes)
      for (int p = 0; p < kGrayParts; ++p) f(p, i, x + p * kRealLanes);
}

/// Values and changes; the field becomes `before` of the next frame.
HWY_INLINE GrayMeans gray_level_features(const GrayField& u, const GrayField& v, real* before,
                                         real* out) {
  const RealTag d;
  constexpr real kFar = real(1e30);
  GrayLanes sum_u(0), sum_v(0), min_u(kFar), max_u(-kFar), min_v(kFar), max_v(-kFar), reaction(0);
  GrayLanes change(0), square_change(0);
  for_gray_cells([&](int p, int64_t i, int64_t x) HWY_ATTR {
    const auto cu = hn::Load(d, u.row(i) + x), cv = hn::Load(d, v.row(i) + x);
    const auto moved = hn::Sub(cv, hn::Load(d, before + i * kGraySide + x));
    hn::Store(cv, d, before + i * kGraySide + x);
    sum_u.part[p] = hn::Add(sum_u.part[p], cu);
    sum_v.part[p] = hn::Add(sum_v.part[p], cv);
    min_u.part[p] = hn::Min(min_u.part[p], cu);
    max_u.part[p] = hn::Max(max_u.part[p], cu);
    min_v.part[p] = hn::Min(min_v.part[p], cv);
    max_v.part[p] = hn::Max(max_v.part[p], cv);
    reaction.part[p] = mul_add(hn::Mul(cu, cv), cv, reaction.part[p]);
    change.part[p] = hn::Add(change.part[p], hn::Abs(moved));
    square_change.part[p] = mul_add(moved, moved, square_change.part[p]);
  });
  const GrayMeans mean = {sum_u.mean(), sum_v.mean()};
  out[kFrameVMean] = real(mean.v);
  out[kFrameVMin] = real(min_v.min());
  out[kFrameVMax] = real(max_v.max());
  out[kFrameUMean] = real(mean.u);
  out[kFrameUMin] = real(min_u.min());
  out[kFrameUMax] = real(max_u.max());
  out[kFrameReaction] = real(reaction.mean());
  out[kFrameChangeMean] = real(change.mean());
  out[kFrameChangeRms] = real(std::sqrt(square_change.mean()));
  return mean;
}

/// Centred moments; leaves v - <v> in `centred` and returns its variance.
HWY_INLINE double gray_moment_features(const GrayField& u, const GrayField& v,
                                       const GrayMeans& mean, real* centred, real* out) {
  const RealTag d;
  const auto mean_u = hn::Set(d, real(mean.u)), mean_v = hn::Set(d, real(mean.v));
  GrayLanes uu(0), uv(0), m2(0), m3(0), m4(0);
  for_gray_cells([&](int p, int64_t i, int64_t x) HWY_ATTR {
    const auto cu = hn::Sub(hn::Load(d, u.row(i) + x), mean_u);
    const auto cv = hn::Sub(hn::Load(d, v.row(i) + x), mean_v);
    const auto square = hn::Mul(cv, cv);
    hn::Store(cv, d, centred + i * kGraySide + x);
    uu.part[p] = mul_add(cu, cu, uu.part[p]);
    uv.part[p] = mul_add(cu, cv, uv.part[p]);
    m2.part[p] = hn::Add(m2.part[p], square);
    m3.part[p] = mul_add(square, cv, m3.part[p]);
    m4.part[p] = mul_add(square, square, m4.part[p]);
  });
  const double variance = m2.mean(), variance_u = uu.mean();
  const bool flat = variance < kGrayFlat;
  out[kFrameVStd] = real(std::sqrt(variance));
  out[kFrameUStd] = real(std::sqrt(variance_u));
  out[kFrameVSkewness] = flat ? real(0) : real(m3.mean() / (variance * std::sqrt(variance)));
  out[kFrameVKurtosis] = flat ? real(0) : real(m4.mean() / (variance * variance) - 3);
  out[kFrameCorrelation] =
      flat || variance_u < kGrayFlat ? real(0) : real(uv.mean() / std::sqrt(variance * variance_u));
  return variance;
}

HWY_INLINE void gray_gradient_features(const GrayField& v, real* out) {
  const RealTag d;
  const auto half = hn::Set(d, real(0.5)), minus_four = hn::Set(d, real(-4));
  GrayLanes size(0), largest(0), xx(0), yy(0), xy(0), square_laplacian(0);
  for_gray_cells([&](int p, int64_t i, int64_t x) HWY_ATTR {
    const real* c = v.row(i) + x;
    const auto left = hn::LoadU(d, c - 1), right = hn::LoadU(d, c + 1);
    const auto up = hn::Load(d, c - kGrayPitch), down = hn::Load(d, c + kGrayPitch);
    const auto gx = hn::Mul(half, hn::Sub(right, left)), gy = hn::Mul(half, hn::Sub(down, up));
    const auto around = hn::Add(hn::Add(left, right), hn::Add(up, down));
    const auto laplacian = mul_add(minus_four, hn::Load(d, c), around);
    const auto length = hn::Sqrt(mul_add(gx, gx, hn::Mul(gy, gy)));
    size.part[p] = hn::Add(size.part[p], length);
    largest.part[p] = hn::Max(largest.part[p], length);
    xx.part[p] = mul_add(gx, gx, xx.part[p]);
    yy.part[p] = mul_add(gy, gy, yy.part[p]);
    xy.part[p] = mul_add(gx, gy, xy.part[p]);
    square_laplacian.part[p] = mul_add(laplacian, laplacian, square_laplacian.part[p]);
  });
  const double difference = xx.mean() - yy.mean(), mixed = 2 * xy.mean();
  const double energy = xx.mean() + yy.mean();
  const double directed = std::sqrt(difference * difference + mixed * mixed);
  out[kFrameGradientMean] = real(size.mean());
  out[kFrameGradientMax] = real(largest.max());
  out[kFrameGradientEnergy] = real(energy);
  out[kFrameAnisotropy] = energy > 0 ? real(directed / energy) : real(0);
  out[kFrameLaplacian] = real(std::sqrt(square_laplacian.mean()));
}

/// A row of cells above a threshold as bits.
HWY_INLINE uint64_t gray_row_bits(const real* row, real threshold) {
  const RealTag d;
  uint64_t bits = 0;
  for (int64_t x = 0; x < kGraySide; x += kRealLanes) {
    uint8_t bytes[8] = {};
    hn::StoreMaskBits(d, hn::Gt(hn::Load(d, row + x), hn::Set(d, threshold)), bytes);
    uint64_t part;
    std::memcpy(&part, bytes, sizeof part);
    bits |= part << x;
  }
  return bits;
}

HWY_INLINE void gray_front_features(const GrayField& v, real* out) {
  constexpr real kActive = real(0.15), kHigh = real(0.25);
  int active = 0, high = 0, in_rows = 0, in_columns = 0, euler = 0;
  uint64_t row = gray_row_bits(v.row(0), kActive);
  for (int64_t i = 0; i < kGraySide; ++i) {
    const uint64_t below = gray_row_bits(v.row(i + 1), kActive);  // row 64 is row 0 again
    const uint64_t right = std::rotr(row, 1), corner = std::rotr(below, 1);
    active += std::popcount(row);
    high += std::popcount(gray_row_bits(v.row(i), kHigh));
    in_rows += std::popcount(row ^ right);
    in_columns += std::popcount(row ^ below);
    euler += std::popcount(row) - std::popcount(row & right) - std::popcount(row & below) +
             std::popcount(row & right & below & corner);
    row = below;
  }
  const int fronts = in_rows + in_columns;
  out[kFrameActiveArea] = real(active) / real(kGrayCells);
  out[kFrameHighArea] = real(high) / real(kGrayCells);
  out[kFrameFrontLength] = real(fronts) / real(kGrayCells);
  out[kFrameFrontDirection] = fronts > 0 ? real(in_rows - in_columns) / real(fronts) : real(0);
  out[kFrameEuler] = real(euler);
}

HWY_INLINE real gray_value_entropy(const GrayTables& tables, const GrayField& v) {
  const RealTag d;
  const hn::Rebind<int32_t, hn::CappedTag<float, HWY_LANES(real)>> narrow;
  constexpr int kCopies =
      4;  // counters of neighbouring cells, so that they do not wait for each other
  int counts[kCopies][kGrayBins] = {};
  alignas(64) int32_t bins[kGraySide];
  for (int64_t i = 0; i < kGraySide; ++i) {
    for (int64_t x = 0; x < kGraySide; x += kRealLanes) {
      const auto scaled = hn::Mul(hn::Load(d, v.row(i) + x), hn::Set(d, real(2 * kGrayBins)));
      const auto capped = hn::Min(scaled, hn::Set(d, real(kGrayBins - 1)));
      if constexpr (sizeof(real) == 4)
        hn::Store(hn::ConvertTo(narrow, capped), narrow, bins + x);
      else
        bins[x] = static_cast<int32_t>(hn::GetLane(capped));
    }
    for (int64_t x = 0; x < kGraySide; ++x) ++counts[x % kCopies][bins[x]];
  }
  double sum = 0;
  for (int bin = 0; bin < kGrayBins; ++bin)
    sum += tables.count_log[counts[0][bin] + counts[1][bin] + counts[2][bin] + counts[3][bin]];
  const double cells = static_cast<double>(kGrayCells);
  return real((math::portable_log(cells) - sum / cells) / math::portable_log(kGrayBins));
}

/// All features of a frame; `work.before` holds v of the frame before and takes that of this one.
HWY_INLINE void gray_frame_features(const GrayTables& tables, const GrayField& u,
                                    const GrayField& v, const GrayWork& work, real* out) {
  const GrayMeans mean = gray_level_features(u, v, work.before, out);
  const double variance = gray_moment_features(u, v, mean, work.centred, out);
  gray_gradient_features(v, out);
  gray_front_features(v, out);
  out[kFrameEntropy] = gray_value_entropy(tables, v);
  std::fill_n(out + kFrameBand0, kFrameWavelength + 1 - kFrameBand0, real(0));
  if (variance < kGrayFlat) return;
  double shells[kGrayShells];
  gray_shells(tables, work.centred, work.rows, work.waves, shells);
  gray_spectral_features(shells, out);
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
