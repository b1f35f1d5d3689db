// Distances from a few rows to many, once per target; see distances.cpp.

#include <algorithm>
#include <bit>
#include <cstdint>

#include "cpu/simd_tile-inl.h"
#include "tessera/kernels/column_groups.h"
#include "tessera/kernels/views.h"

#if defined(TESSERA_CPU_DISTANCE_TILE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CPU_DISTANCE_TILE_INL_H
#undef TESSERA_CPU_DISTANCE_TILE_INL_H
#else
#define TESSERA_CPU_DISTANCE_TILE_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

/// A tile has kTileRows rows and two vectors of other rows: 16 chains hide their latency.
inline constexpr int64_t kPairLanes = 2 * kRealLanes;
using PairTile = Tile<kTileRows, 2>;

/// Rows transposed: [tile of kTurnedRows, columns, kTurnedRows], so that a tile is one stream.
inline constexpr int64_t kTurnedRows = 32;
static_assert(kTurnedRows % kPairLanes == 0);
inline int64_t whole_tiles(int64_t rows) {
  return (rows + kTurnedRows - 1) / kTurnedRows * kTurnedRows;
}
struct TurnedRows {
  const real* values;  // first tile, first column
  int64_t cols;        // of a tile

  const real* at(int64_t row, int64_t column) const {
    return values + (row / kTurnedRows * cols + column) * kTurnedRows + row % kTurnedRows;
  }
};

/// One vector of rows to lanes from row `to` on of `out`, [.., cols, kTurnedRows].
inline void turn_rows(const real* const* rows, int64_t cols, int64_t to, real* out) {
  out += to / kTurnedRows * cols * kTurnedRows + to % kTurnedRows;
  for_columns(rows, cols, [&](int64_t c, RealVec column) HWY_ATTR {
    hn::StoreU(column, RealTag(), out + c * kTurnedRows);
  });
}

/// Squared distances of rows[r] to the others of a tile: one chain over the columns.
HWY_INLINE void square_distances(const real* const (&rows)[kTileRows], const real* turned,
                                 int64_t cols, PairTile& sums) {
  const RealTag d;
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows; ++r) sums[r][0] = sums[r][1] = hn::Zero(d);
  for (int64_t c = 0; c < cols; ++c, turned += kTurnedRows) {
    const RealVec first = hn::LoadU(d, turned), second = hn::LoadU(d, turned + kRealLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kTileRows; ++r) {
      const RealVec x = hn::Set(d, rows[r][c]);
      const RealVec a = hn::Sub(x, first), b = hn::Sub(x, second);
      sums[r][0] = mul_add(a, a, sums[r][0]);
      sums[r][1] = mul_add(b, b, sums[r][1]);
    }
  }
}

/// 1 / sqrt(s) within 2 ulp for normal s, finite for 0; the same bits on every target. A division
/// and a root take five times as long.
/// Source: the initial value is the well-known 0x5f3759df - (bits >> 1), within 3.5 %; three Newton
/// steps square that error to 2e-3, 5e-6 and below rounding.
HWY_INLINE RealVec inverse_root(RealVec s) {
  const RealTag d;
  if constexpr (sizeof(real) == sizeof(double)) {
    const RealVec root = hn::Sqrt(hn::Max(s, hn::Set(d, real(1e-300))));
    return hn::Div(hn::Set(d, real(1)), root);
  } else {
    const hn::RebindToSigned<RealTag> bits;
    RealVec y =
        hn::BitCast(d, hn::Sub(hn::Set(bits, 0x5f3759df), hn::ShiftRight<1>(hn::BitCast(bits, s))));
    const RealVec half = hn::Mul(s, hn::Set(d, real(0.5)));
#pragma GCC unroll 3
    for (int step = 0; step < 3; ++step)
      y = hn::Mul(y, neg_mul_add(hn::Mul(half, y), y, hn::Set(d, real(1.5))));
    return y;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
