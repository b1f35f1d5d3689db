// Distances by their definition in binary64, once per target; see tessera/kernels/vq_assign.h.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "cpu/simd_tile-inl.h"

#if defined(TESSERA_CPU_VQ_EXACT_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CPU_VQ_EXACT_INL_H
#undef TESSERA_CPU_VQ_EXACT_INL_H
#else
#define TESSERA_CPU_VQ_EXACT_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

/// D(x, c): one chain over the dimensions.
inline double exact_distance(const real* x, const real* c, int64_t dim) {
  double sum = 0;
  for (int64_t i = 0; i < dim; ++i) {
    const double t = static_cast<double>(x[i]) - static_cast<double>(c[i]);
    sum = std::fma(t, t, sum);
  }
  return sum;
}

/// D(x[l], c[l]) for every lane l, the same bits.
inline void exact_distances(const real* const* x, const real* const* c, int64_t dim,
                            double* HWY_RESTRICT out) {
  int64_t i = 0;
#if HWY_TARGET != HWY_SCALAR
  const DoubleTag d;
  constexpr int kParts = static_cast<int>(kRealLanes / kDoubleLanes);
  hn::Vec<DoubleTag> sum[kParts];
  for (auto& part : sum) part = hn::Zero(d);
  for (; i + kBlock <= dim; i += kBlock) {
    RealVec xs[kBlock], cs[kBlock];
    transpose_block(x, i, xs);
    transpose_block(c, i, cs);
#pragma GCC unroll 4
    for (int j = 0; j < kBlock; ++j) {
      alignas(64) real x_lanes[kRealLanes], c_lanes[kRealLanes];
      hn::Store(xs[j], RealTag(), x_lanes);
      hn::Store(cs[j], RealTag(), c_lanes);
#pragma GCC unroll 2
      for (int part = 0; part < kParts; ++part) {
        const auto t = hn::Sub(load_double(d, x_lanes + part * kDoubleLanes),
                               load_double(d, c_lanes + part * kDoubleLanes));
        sum[part] = mul_add(t, t, sum[part]);
      }
    }
  }
  for (int part = 0; part < kParts; ++part) hn::StoreU(sum[part], d, out + part * kDoubleLanes);
#else
  std::fill_n(out, kRealLanes, 0.0);
#endif
  for (; i < dim; ++i)
    for (int64_t l = 0; l < kRealLanes; ++l) {
      const double t = static_cast<double>(x[l][i]) - static_cast<double>(c[l][i]);
      out[l] = std::fma(t, t, out[l]);
    }
}

/// The nearest of all codes, the lowest among equals; 0 where no distance is finite.
inline int32_t exact_scan(const real* x, const real* codes, int64_t count, int64_t dim) {
  const real* rows[kRealLanes];
  const real* code_rows[kRealLanes];
  std::fill_n(rows, kRealLanes, x);
  double best = std::numeric_limits<double>::infinity();
  int32_t nearest = 0;
  for (int64_t first = 0; first < count; first += kRealLanes) {
    const int64_t lanes = std::min(kRealLanes, count - first);
    for (int64_t l = 0; l < kRealLanes; ++l)
      code_rows[l] = codes + (first + std::min(l, lanes - 1)) * dim;
    double dist[kRealLanes];
    exact_distances(rows, code_rows, dim, dist);
    for (int64_t l = 0; l < lanes; ++l)
      if (dist[l] < best) {
        best = dist[l];
        nearest = static_cast<int32_t>(first + l);
      }
  }
  return nearest;
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
