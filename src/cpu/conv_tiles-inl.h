// The tiles of convolution, once per target; see conv.cpp.

#include <algorithm>
#include <cstdint>
#include <utility>

#include "cpu/conv_rows.h"
#include "cpu/simd_scratch.h"
#include "cpu/simd_tile-inl.h"
#include "tessera/kernels/views.h"

#if defined(TESSERA_CPU_CONV_TILES_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CPU_CONV_TILES_INL_H
#undef TESSERA_CPU_CONV_TILES_INL_H
#else
#define TESSERA_CPU_CONV_TILES_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

// Target rows whose columns of dy stay in L1 while all of their taps pass: 128 x 48 floats.
inline constexpr int64_t kGradRows = 128;

/// Calls f(constant of the panel's vectors).
template <class F>
void with_width(int width, F&& f) {
  if (width == 3)
    f(std::integral_constant<int, 3>());
  else if (width == 2)
    f(std::integral_constant<int, 2>());
  else
    f(std::integral_constant<int, 1>());
}

/// Lanes of the last vector of panel p that are columns.
inline size_t last_lanes(const Panels& panels, int64_t p, int64_t columns) {
  return static_cast<size_t>(
      std::min(kRealLanes, columns - (panels.begin(p + 1) - 1) * kRealLanes));
}

/// Sums over the runs of a class, for one panel of columns.
struct ConvPanel {
  const real* source;
  const real* weights;  // [length of the sum, vectors, lanes]
  MatrixView<real> out;
  real beta;
  int64_t column;
  size_t last_lanes;
};

/// Rows of `out` that need the same runs.
template <int kRows, int kVectors>
HWY_NOINLINE void conv_tile(const ConvPanel& panel, const ConvRow* rows, const ConvRun* runs,
                            int64_t run_count) {
  const RealTag d;
  Tile<kRows, kVectors> acc;
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) acc[r][v] = hn::Zero(d);
  for (int64_t i = 0; i < run_count; ++i) {
    const real* from[kRows];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) from[r] = panel.source + (rows[r].source + runs[i].offset);
    const real* b = panel.weights + runs[i].weight * (kVectors * kRealLanes);
    const int64_t count = runs[i].count;
    for (int64_t k = 0; k < count; ++k, b += kVectors * kRealLanes) {
      RealVec column[kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) column[v] = hn::LoadU(d, b + v * kRealLanes);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) {
        const RealVec x = hn::Set(d, from[r][k]);
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) acc[r][v] = mul_add(x, column[v], acc[r][v]);
      }
    }
  }
  const auto mask = hn::FirstN(d, panel.last_lanes);
  constexpr int64_t kLast = (kVectors - 1) * kRealLanes;
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    real* to = panel.out.data + rows[r].target * panel.out.ld + panel.column;
    if (panel.beta != 0) {
      const RealVec beta = hn::Set(d, panel.beta);
#pragma GCC unroll 4
      for (int v = 0; v + 1 < kVectors; ++v)
        acc[r][v] = mul_add(beta, hn::LoadU(d, to + v * kRealLanes), acc[r][v]);
      acc[r][kVectors - 1] =
          mul_add(beta, hn::MaskedLoad(mask, d, to + kLast), acc[r][kVectors - 1]);
    }
#pragma GCC unroll 4
    for (int v = 0; v + 1 < kVectors; ++v) hn::StoreU(acc[r][v], d, to + v * kRealLanes);
    hn::BlendedStore(acc[r][kVectors - 1], mask, d, to + kLast);
  }
}

/// All rows of all classes.
template <int kVectors>
void conv_rows(const ConvPanel& panel, const ConvRows& all) {
  for (const ConvClass& c : all.classes()) {
    const ConvRow* row = all.rows(c);
    const ConvRow* end = row + c.rows;
    const ConvRun* runs = all.runs(c);
    for (; row + kTileRows <= end; row += kTileRows)
      conv_tile<kTileRows, kVectors>(panel, row, runs, c.runs);
    if constexpr (kTileRows > 4)
      for (; row + 4 <= end; row += 4) conv_tile<4, kVectors>(panel, row, runs, c.runs);
    for (; row + 2 <= end; row += 2) conv_tile<2, kVectors>(panel, row, runs, c.runs);
    if (row < end) conv_tile<1, kVectors>(panel, row, runs, c.runs);
  }
}

/// sums[k, .] += sum over rows of source[row + k] dy[row, .] for kCount values k; dy [rows, vectors,
/// lanes] is packed.
template <int kCount, int kVectors>
HWY_NOINLINE void conv_grad_tile(const real* source, const ConvRow* rows, int64_t row_count,
                                 const real* dy, real* sums) {
  const RealTag d;
  Tile<kCount, kVectors> acc;
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) acc[i][v] = hn::Zero(d);
  for (int64_t r = 0; r < row_count; ++r, dy += kVectors * kRealLanes) {
    const real* x = source + rows[r].source;
    RealVec column[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) column[v] = hn::Load(d, dy + v * kRealLanes);
#pragma GCC unroll 8
    for (int i = 0; i < kCount; ++i) {
      const RealVec value = hn::Set(d, x[i]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) acc[i][v] = mul_add(value, column[v], acc[i][v]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      real* to = sums + (i * kVectors + v) * kRealLanes;
      hn::Store(hn::Add(hn::Load(d, to), acc[i][v]), d, to);
    }
}

template <int kVectors>
using GradTile = void (*)(const real*, const ConvRow*, int64_t, const real*, real*);
template <int kVectors, int... kCounts>
GradTile<kVectors> grad_tile_of(int64_t count, std::integer_sequence<int, kCounts...>) {
  static constexpr GradTile<kVectors> kTiles[] = {conv_grad_tile<kCounts + 1, kVectors>...};
  return kTiles[count - 1];
}

/// Adds the terms of all rows to sums [length of the sum, vectors, lanes].
template <int kVectors>
void conv_grad_rows(const real* source, const MatrixView<const real>& dy, int64_t column,
                    size_t lanes, const ConvRows& all, real* sums) {
  constexpr int64_t kWidth = kVectors * kRealLanes, kLast = kWidth - kRealLanes;
  thread_local SimdScratch scratch;
  real* packed = scratch.get<real>(kGradRows * kWidth);
  const RealTag d;
  const auto mask = hn::FirstN(d, lanes);
  for (const ConvClass& c : all.classes()) {
    if (c.runs == 0) continue;
    for (int64_t begin = 0; begin < c.rows; begin += kGradRows) {
      const ConvRow* rows = all.rows(c) + begin;
      const int64_t count = std::min(kGradRows, c.rows - begin);
      for (int64_t r = 0; r < count; ++r) {
        const real* from = dy.data + rows[r].target * dy.ld + column;
        real* to = packed + r * kWidth;
        for (int64_t i = 0; i < kLast; i += kRealLanes)
          hn::Store(hn::LoadU(d, from + i), d, to + i);
        hn::Store(hn::MaskedLoad(mask, d, from + kLast), d, to + kLast);
      }
      for (const ConvRun* run = all.runs(c); run != all.runs(c) + c.runs; ++run) {
        const int64_t tiles = (run->count + kTileRows - 1) / kTileRows;
        for (int64_t t = 0; t < tiles; ++t) {  // of about equal size
          const int64_t k = t * run->count / tiles, end = (t + 1) * run->count / tiles;
          grad_tile_of<kVectors>(end - k, std::make_integer_sequence<int, kTileRows>())(
              source + run->offset + k, rows, count, packed, sums + (run->weight + k) * kWidth);
        }
      }
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
