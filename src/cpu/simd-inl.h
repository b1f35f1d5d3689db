// Vector helpers, once per target; simd_targets.h says how a kernel file uses them.

#include <cmath>
#include <cstdint>

#include "cpu/simd_targets.h"
#include "hwy/highway.h"
#include "tessera/precision.h"

#if defined(TESSERA_CPU_SIMD_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CPU_SIMD_INL_H
#undef TESSERA_CPU_SIMD_INL_H
#else
#define TESSERA_CPU_SIMD_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using RealTag = hn::ScalableTag<real>;
using DoubleTag = hn::ScalableTag<double>;
inline constexpr int64_t kRealLanes = HWY_LANES(real);
inline constexpr int64_t kDoubleLanes = HWY_LANES(double);

/// a * b + c, rounded once on every target.
template <class V>
HWY_INLINE V mul_add(V a, V b, V c) {
#if HWY_TARGET == HWY_SCALAR
  return V(std::fma(a.raw, b.raw, c.raw));
#else
  return hn::MulAdd(a, b, c);
#endif
}

/// c - a * b, rounded once on every target.
template <class V>
HWY_INLINE V neg_mul_add(V a, V b, V c) {
#if HWY_TARGET == HWY_SCALAR
  return V(std::fma(-a.raw, b.raw, c.raw));
#else
  return hn::NegMulAdd(a, b, c);
#endif
}

/// The reals at p as doubles, one per lane of `d`.
template <class D>
HWY_INLINE hn::VFromD<D> load_double(D d, const float* p) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<float, D>(), p));
}
template <class D>
HWY_INLINE hn::VFromD<D> load_double(D d, const double* p) {
  return hn::LoadU(d, p);
}

/// Rounds the doubles of v to reals at p, one per lane.
template <class D>
HWY_INLINE void store_double(hn::VFromD<D> v, D, float* p) {
  const hn::Rebind<float, D> narrow;
  hn::StoreU(hn::DemoteTo(narrow, v), narrow, p);
}
template <class D>
HWY_INLINE void store_double(hn::VFromD<D> v, D d, double* p) {
  hn::StoreU(v, d, p);
}

/// Calls f(d, i) for i = 0, L, 2L, ... with d of L lanes while i + L <= n, then f(d1, i) with one
/// lane for each element left. What f does to an element must not depend on its lane.
template <class F>
HWY_INLINE void for_lanes(int64_t n, F&& f) {
  const RealTag d;
  const hn::CappedTag<real, 1> d1;
  int64_t i = 0;
  for (; i + kRealLanes <= n; i += kRealLanes) f(d, i);
  for (; i < n; ++i) f(d1, i);
}

/// for_lanes with tags of double.
template <class F>
HWY_INLINE void for_double_lanes(int64_t n, F&& f) {
  const DoubleTag d;
  const hn::CappedTag<double, 1> d1;
  int64_t i = 0;
  for (; i + kDoubleLanes <= n; i += kDoubleLanes) f(d, i);
  for (; i < n; ++i) f(d1, i);
}

/// Virtual lanes of a sum: element i goes to lane i % 16, whatever the width of a vector.
inline constexpr int64_t kSumLanes = 16;

/// A sum over [0, n) whose bits depend on n and the elements only, not on the target.
///
/// f(d, i, acc) returns acc with elements i, i + 1, ... (one per lane of the double tag d) added.
/// Each of 16 lanes takes its elements ascending; the lanes are then added 0 to 15 in order.
///
///   const double sum = fold_lanes(n, [&](auto d, int64_t i, auto acc) HWY_ATTR {
///     const auto t = hn::Sub(load_double(d, p + i), load_double(d, q + i));
///     return mul_add(t, t, acc);
///   });
template <class F>
HWY_INLINE double fold_lanes(int64_t n, F&& f) {
  constexpr int kVectors = static_cast<int>(kSumLanes / kDoubleLanes);
  const DoubleTag d;
  hn::Vec<DoubleTag> acc[kVectors];
  for (int v = 0; v < kVectors; ++v) acc[v] = hn::Zero(d);
  int64_t i = 0;
  for (; i + kSumLanes <= n; i += kSumLanes)
    for (int v = 0; v < kVectors; ++v) acc[v] = f(d, i + v * kDoubleLanes, acc[v]);
  alignas(64) double lanes[kSumLanes];
  for (int v = 0; v < kVectors; ++v) hn::Store(acc[v], d, lanes + v * kDoubleLanes);
  const hn::CappedTag<double, 1> d1;
  for (int64_t lane = 0; i < n; ++i, ++lane)
    lanes[lane] = hn::GetLane(f(d1, i, hn::Set(d1, lanes[lane])));
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

/// The sum of n reals in double, in the order of fold_lanes.
HWY_INLINE double sum_lanes(const real* x, int64_t n) {
  return fold_lanes(
      n, [&](auto d, int64_t i, auto acc) HWY_ATTR { return hn::Add(acc, load_double(d, x + i)); });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
