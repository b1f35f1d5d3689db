// The register tile of matmul and nearest-code search, once per target.
//
// A tile is R rows x V vectors of columns held in registers while k runs: each step loads V vectors
// of b and broadcasts R values of a. Lanes are columns and k is sequential, so every column's sum is
// one chain of fused multiply-adds, whatever the tile and the width of a vector.
//
// 8 x 3 on AVX-512 leaves 5 of 32 registers for operands and needs 11 loads for 24 multiply-adds;
// 4 x 3 on AVX2 uses all 16. Two-vector tiles come within 2 % (AVX-512), one-vector tiles are bound
// by the latency of the chain.

#include <algorithm>
#include <cstdint>

#include "cpu/simd-inl.h"
#include "hwy/cache_control.h"

#if defined(TESSERA_CPU_SIMD_TILE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CPU_SIMD_TILE_INL_H
#undef TESSERA_CPU_SIMD_TILE_INL_H
#else
#define TESSERA_CPU_SIMD_TILE_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

inline constexpr int kTileRows = HWY_TARGET == HWY_AVX3 ? 8 : HWY_TARGET == HWY_AVX2 ? 4 : 1;
inline constexpr int kTileVectors = 3;

using RealVec = hn::Vec<RealTag>;
template <int kRows, int kVectors>
using Tile = RealVec[kRows][kVectors];

/// Columns cut into panels of at most three vectors and, where there are two, at least two.
struct Panels {
  int64_t vectors, count;
  /// About `wanted` panels or more, and an even number, as far as that leaves two vectors to each.
  explicit Panels(int64_t columns, int64_t wanted = 1)
      : vectors((columns + kRealLanes - 1) / kRealLanes),
        count(
            std::max((vectors + kTileVectors - 1) / kTileVectors, std::min(wanted, vectors / 2))) {
    if (count % 2 == 0) return;
    if (2 * (count + 1) <= vectors)
      ++count;
    else if (kTileVectors * (count - 1) >= vectors)
      --count;
  }
  /// First vector of panel p; begin(count) is the number of vectors.
  int64_t begin(int64_t p) const { return p * vectors / count; }
  int width(int64_t p) const { return static_cast<int>(begin(p + 1) - begin(p)); }
};

/// acc[r][v] += a(r, k) * b(k, v) for k ascending; one rounding for each k.
/// a(r, k) is a[r * a_row + k * a_step], b(k, .) starts at b + k * b_step. kAhead > 0 fetches a that
/// many steps ahead, for steps too long for the hardware to follow.
template <int kRows, int kVectors, int kAhead = 0>
HWY_INLINE void accumulate(const real* HWY_RESTRICT a, int64_t a_row, int64_t a_step,
                           const real* HWY_RESTRICT b, int64_t b_step, int64_t k_count,
                           Tile<kRows, kVectors>& acc) {
  const RealTag d;
  for (int64_t k = 0; k < k_count; ++k, a += a_step, b += b_step) {
    if constexpr (kAhead > 0) hwy::Prefetch(a + kAhead * a_step);
    RealVec column[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) column[v] = hn::LoadU(d, b + v * kRealLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
      const RealVec x = hn::Set(d, a[r * a_row]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) acc[r][v] = mul_add(x, column[v], acc[r][v]);
    }
  }
}

#if HWY_TARGET != HWY_SCALAR
/// One 128-bit block from each of MaxLanes / kBlock rows, kBlock rows apart.
inline constexpr int kBlock = 16 / sizeof(real);
template <class D>
HWY_INLINE hn::Vec<D> load_blocks(D d, const real* const* rows, int64_t k) {
  if constexpr (hn::MaxLanes(D()) == kBlock) {
    return hn::LoadU(d, rows[0] + k);
  } else {
    const hn::Half<D> half;
    return hn::Combine(d, load_blocks(half, rows + hn::MaxLanes(half), k),
                       load_blocks(half, rows, k));
  }
}

/// out[j] lane l = rows[l][k + j] for j in [0, kBlock).
HWY_INLINE void transpose_block(const real* const* rows, int64_t k, RealVec (&out)[kBlock]) {
  const RealTag d;
  const auto r0 = load_blocks(d, rows, k), r1 = load_blocks(d, rows + 1, k);
  if constexpr (kBlock == 2) {
    out[0] = hn::InterleaveLower(d, r0, r1);
    out[1] = hn::InterleaveUpper(d, r0, r1);
  } else {
    const DoubleTag pairs;
    const auto r2 = load_blocks(d, rows + 2, k), r3 = load_blocks(d, rows + 3, k);
    const auto low01 = hn::BitCast(pairs, hn::InterleaveLower(d, r0, r1));
    const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(d, r2, r3));
    const auto high01 = hn::BitCast(pairs, hn::InterleaveUpper(d, r0, r1));
    const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, r2, r3));
    out[0] = hn::BitCast(d, hn::InterleaveLower(pairs, low01, low23));
    out[1] = hn::BitCast(d, hn::InterleaveUpper(pairs, low01, low23));
    out[2] = hn::BitCast(d, hn::InterleaveLower(pairs, high01, high23));
    out[3] = hn::BitCast(d, hn::InterleaveUpper(pairs, high01, high23));
  }
}
#endif

/// Calls f(k, column) for k in [0, k_count): lane l of `column` is rows[l][k].
template <class F>
HWY_INLINE void for_columns(const real* const* rows, int64_t k_count, F&& f) {
  const RealTag d;
  int64_t k = 0;
#if HWY_TARGET != HWY_SCALAR
  for (; k + kBlock <= k_count; k += kBlock) {
    RealVec columns[kBlock];
    transpose_block(rows, k, columns);
#pragma GCC unroll 4
    for (int j = 0; j < kBlock; ++j) f(k + j, columns[j]);
  }
#endif
  for (; k < k_count; ++k) {
    alignas(64) real column[kRealLanes];
    for (int l = 0; l < kRealLanes; ++l) column[l] = rows[l][k];
    f(k, hn::Load(d, column));
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
