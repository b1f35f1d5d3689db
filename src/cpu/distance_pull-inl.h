// The gradient of mean distances, once per target; see distances.cpp.
//
//   dx_i = sum_j w_ij (x_i - x_j) = x_i sum_j w_ij - sum_j w_ij x_j,   w_ij = 2 dd_ij / (G |x_i - x_j|)
//
// The second form is a product of matrices. Its terms are |x_i| / |x_i - x_j| larger than those of the
// first, and round so much more coarsely: pairs nearer than |x_i| / 128 go by the first.

#include <algorithm>
#include <cstdint>

#include "cpu/distance_tile-inl.h"
#include "cpu/repeated_rows.h"
#include "cpu/simd_scratch.h"
#include "tessera/kernels/distances.h"

#if defined(TESSERA_CPU_DISTANCE_PULL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CPU_DISTANCE_PULL_INL_H
#undef TESSERA_CPU_DISTANCE_PULL_INL_H
#else
#define TESSERA_CPU_DISTANCE_PULL_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

inline constexpr int64_t kPullRows = 64;     // rows of a chunk
inline constexpr int64_t kPullOthers = 256;  // others at a time: their weights stay in L2
inline constexpr int64_t kTotalLanes = 16;   // other l adds to total l % 16, on every target

/// Rows that a chunk pulls, and the others that it looks at together.
struct Pull {
  const ColumnGroup& group;
  MatrixView<const real> x;  // all rows, columns of the group
  int64_t begin, rows;       // of the chunk, at most kPullRows
  int64_t width;             // columns in whole vectors
  real factor;               // 2 / G
  real* weights;             // [kPullRows, kPullOthers]
  real* basis;               // [kPullOthers, width] the others
  real* pulled;              // [kPullRows, width] sum_j w_ij x_j
  real* totals;              // [kPullRows, kTotalLanes] sum_j w_ij
  real* direct;              // [kPullRows, width] sum_j w_ij (x_i - x_j) of near pairs
  real* near;                // [kPullRows] squared distances up to this are near

  const real* row(int64_t r) const { return x.data + (begin + std::min(r, rows - 1)) * x.ld; }
};

/// Some of the others and the slopes dd[r * ld + l] of their distances. `turned` starts with their
/// first row and the first column of the group.
struct Others {
  TurnedRows turned;
  const real* dd;
  int64_t ld, count;
};

inline constexpr real kNear = real(0x1p-14);  // of |x_i|^2

/// Adds near pairs of row r with the others of a vector, and takes their weights away.
HWY_NOINLINE void pull_directly(const Pull& p, int64_t r, const real* other, RealVec squares,
                                RealVec& weights) {
  const RealTag d;
  alignas(64) real s[kRealLanes], w[kRealLanes];
  hn::Store(squares, d, s);
  hn::Store(weights, d, w);
  const real* x = p.row(r);
  real* direct = p.direct + r * p.width;
  for (int64_t l = 0; l < kRealLanes; ++l) {
    if (!(s[l] <= p.near[r])) continue;
    for (int32_t c = 0; c < p.group.cols; ++c)
      direct[c] = std::fma(w[l], x[c] - other[c * kTurnedRows + l], direct[c]);
    w[l] = 0;
  }
  weights = hn::Load(d, w);
}

/// Weights and totals of kTileRows rows from r0 on with the others of a tile. Without
/// kAll, lanes beyond others.count get no weight.
template <bool kAll>
HWY_INLINE void weigh_tile(const Pull& p, const Others& others, int64_t r0, int64_t l) {
  const RealTag d;
  const real *rows[kTileRows], *slopes[kTileRows];
  for (int r = 0; r < kTileRows; ++r) {
    const int64_t row = std::min(r0 + r, p.rows - 1);
    rows[r] = p.x.data + (p.begin + row) * p.x.ld;
    slopes[r] = others.dd + row * others.ld + l;
  }
  PairTile squares;
  square_distances(rows, others.turned.at(l, 0), p.group.cols, squares);
  const RealVec factor = hn::Set(d, p.factor);
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) {
      const int64_t at = l + v * kRealLanes, left = std::max<int64_t>(0, others.count - at);
      const real* from = slopes[r] + v * kRealLanes;
      const RealVec s = squares[r][v];
      const RealVec slope = kAll
                                ? hn::LoadU(d, from)
                                : hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(left)), d, from);
      const auto apart = hn::Gt(s, hn::Zero(d));
      RealVec weight = hn::IfThenElseZero(apart, hn::Mul(hn::Mul(slope, factor), inverse_root(s)));
      const auto near = hn::And(apart, hn::Le(s, hn::Set(d, p.near[r0 + r])));
      if (HWY_UNLIKELY(!hn::AllFalse(d, near)) && r0 + r < p.rows)
        pull_directly(p, r0 + r, others.turned.at(at, 0), s, weight);
      hn::StoreU(weight, d, p.weights + (r0 + r) * kPullOthers + at);
      real* total = p.totals + (r0 + r) * kTotalLanes + at % kTotalLanes;
      hn::StoreU(hn::Add(hn::LoadU(d, total), weight), d, total);
    }
}

/// Weights and totals of all rows with some others.
inline void weigh(const Pull& p, const Others& others) {
  for (int64_t r0 = 0; r0 < p.rows; r0 += kTileRows) {
    int64_t l = 0;
    for (; l + kPairLanes <= others.count; l += kPairLanes) weigh_tile<true>(p, others, r0, l);
    if (l < others.count) weigh_tile<false>(p, others, r0, l);
  }
}

template <int kVectors>
void add_pulled(const Pull& p, int64_t column, int64_t count) {
  const RealTag d;
  for (int64_t r0 = 0; r0 < p.rows; r0 += kTileRows) {
    Tile<kTileRows, kVectors> sums;
    real* out = p.pulled + r0 * p.width + column;
#pragma GCC unroll 8
    for (int r = 0; r < kTileRows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v)
        sums[r][v] = hn::LoadU(d, out + r * p.width + v * kRealLanes);
    accumulate<kTileRows, kVectors>(p.weights + r0 * kPullOthers, kPullOthers, 1, p.basis + column,
                                    p.width, count, sums);
#pragma GCC unroll 8
    for (int r = 0; r < kTileRows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v)
        hn::StoreU(sums[r][v], d, out + r * p.width + v * kRealLanes);
  }
}

/// Adds what some others pull; row_of(l) is the row of other l.
template <class RowOf>
void pull_others(const Pull& p, const Others& others, const RowOf& row_of) {
  const RealTag d;
  weigh(p, others);
  for (int64_t l = 0; l < others.count; ++l) {
    real* out = p.basis + l * p.width;
    const real* row = row_of(l);
    for (int64_t c = 0; c < p.width; c += kRealLanes) {
      const auto lanes = static_cast<size_t>(std::min(kRealLanes, p.group.cols - c));
      hn::StoreU(hn::MaskedLoad(hn::FirstN(d, lanes), d, row + c), d, out + c);
    }
  }
  const Panels panels(p.group.cols);
  for (int64_t i = 0; i < panels.count; ++i) {
    const int64_t column = panels.begin(i) * kRealLanes;
    if (panels.width(i) == 3)
      add_pulled<3>(p, column, others.count);
    else if (panels.width(i) == 2)
      add_pulled<2>(p, column, others.count);
    else
      add_pulled<1>(p, column, others.count);
  }
}

/// Columns [begin, begin + rows) of dd, its rows kPullRows apart: those of dd itself lie a power of two
/// apart often, where a column falls on few lines of a cache.
inline void copy_slopes(const MatrixView<const real>& dd, int64_t begin, int64_t rows, real* out) {
  for (int64_t j = 0; j < dd.rows; ++j)
    std::copy_n(dd.data + j * dd.ld + begin, rows, out + j * kPullRows);
}

/// The first rows of classes [first, first + count): transposed to `turned`, and the slopes of the
/// distances to all their members, added up, to `slopes` [kPullRows, kPullOthers]. `dd` is copy_slopes:
/// dd is symmetric, so its rows serve for the columns of the chunk.
inline void sum_classes(const Pull& p, const RepeatedRows& same, const real* dd, int64_t first,
                        int64_t count, real* turned, real* slopes) {
  const RealTag d;
  for (int64_t l = 0; l < whole_tiles(count); l += kRealLanes) {
    const real* rows[kRealLanes];
    for (int64_t i = 0; i < kRealLanes; ++i)
      rows[i] = p.x.data + same.first[first + std::min(l + i, count - 1)] * p.x.ld;
    turn_rows(rows, p.group.cols, l, turned);
  }
  constexpr int64_t kVectors = std::min<int64_t>(4, kPullRows / kRealLanes);
  for (int64_t k = 0; k < count; ++k)
    for (int64_t r = 0; r < p.rows; r += kVectors * kRealLanes) {
      RealVec sums[kVectors];
      for (RealVec& sum : sums) sum = hn::Zero(d);
      for (int32_t m = same.begin[first + k]; m < same.begin[first + k + 1]; ++m)
#pragma GCC unroll 4
        for (int64_t v = 0; v < kVectors; ++v)
          sums[v] =
              hn::Add(sums[v], hn::LoadU(d, dd + same.members[m] * kPullRows + r + v * kRealLanes));
      alignas(64) real values[kVectors * kRealLanes];
      for (int64_t v = 0; v < kVectors; ++v) hn::Store(sums[v], d, values + v * kRealLanes);
      for (int64_t l = 0; l < std::min(kVectors * kRealLanes, p.rows - r); ++l)
        slopes[(r + l) * kPullOthers + k] = values[l];
    }
}

/// The gradient of rows [begin, end) in the columns of group g. `turned_x` is all of x, `columns`
/// copy_slopes where rows repeat.
inline void pull_group(const MeanDistancesGrad& a, const RepeatedRows& same, const real* turned_x,
                       const real* columns, int32_t g, int64_t begin, int64_t end) {
  thread_local SimdScratch scratch;
  const ColumnGroup& group = a.groups[g];
  const int64_t width = (group.cols + kRealLanes - 1) / kRealLanes * kRealLanes;
  const int64_t of_rows = kPullRows * kPullOthers;
  const int64_t of_others = kPullOthers * width + kPullOthers * group.cols;
  real* memory =
      scratch.get<real>(2 * of_rows + of_others + kPullRows * (2 * width + kTotalLanes + 1));
  Pull p{.group = group,
         .x = {a.x.data + group.begin, a.x.rows, group.cols, a.x.ld},
         .begin = begin,
         .rows = end - begin,
         .width = width,
         .factor = real(2) / static_cast<real>(a.groups.count),
         .weights = memory,
         .basis = memory + 2 * of_rows,
         .pulled = memory + 2 * of_rows + of_others,
         .totals = nullptr,
         .direct = nullptr,
         .near = nullptr};
  p.totals = p.pulled + kPullRows * width;
  p.direct = p.totals + kPullRows * kTotalLanes;
  p.near = p.direct + kPullRows * width;
  real *slopes = memory + of_rows, *class_turned = p.basis + kPullOthers * width;
  std::fill_n(p.pulled, kPullRows * (2 * width + kTotalLanes + 1), real(0));
  for (int64_t r = 0; r < p.rows; ++r)
    for (int32_t c = 0; c < group.cols; ++c)
      p.near[r] = std::fma(kNear * p.row(r)[c], p.row(r)[c], p.near[r]);

  const TurnedRows turned = {turned_x, a.x.cols};
  const int64_t all = same.empty() ? a.x.rows : same.classes();
  for (int64_t first = 0; first < all; first += kPullOthers) {
    const int64_t count = std::min(kPullOthers, all - first);
    if (same.empty()) {
      pull_others(p,
                  {.turned = {turned.at(first, group.begin), turned.cols},
                   .dd = a.dd.data + begin * a.dd.ld + first,
                   .ld = a.dd.ld,
                   .count = count},
                  [&](int64_t l) { return p.x.data + (first + l) * p.x.ld; });
    } else {
      sum_classes(p, same, columns, first, count, class_turned, slopes);
      pull_others(
          p,
          {.turned = {class_turned, group.cols}, .dd = slopes, .ld = kPullOthers, .count = count},
          [&](int64_t l) { return p.x.data + same.first[first + l] * p.x.ld; });
    }
  }
  for (int64_t r = 0; r < p.rows; ++r) {
    real total = 0;
    for (int64_t l = 0; l < kTotalLanes; ++l) total += p.totals[r * kTotalLanes + l];
    const real *x = p.row(r), *pulled = p.pulled + r * width;
    real* dx = a.dx.data + (begin + r) * a.dx.ld + group.begin;
    for (int64_t c = 0; c < group.cols; ++c) {
      const real value = std::fma(total, x[c], -pulled[c]) + p.direct[r * width + c];
      dx[c] = a.beta == 0 ? value : std::fma(a.beta, dx[c], value);
    }
  }
}

/// The gradient of rows [begin, end) in the columns of groups [g, g_end).
void pull_rows(const MeanDistancesGrad& a, const RepeatedRows* same, const real* turned_x,
               int32_t g, int32_t g_end, int64_t begin, int64_t end) {
  thread_local SimdScratch scratch;
  real* columns = nullptr;
  for (; g < g_end; ++g) {
    if (columns == nullptr && !same[g].empty()) {
      columns = scratch.get<real>(a.dd.rows * kPullRows);
      copy_slopes(a.dd, begin, end - begin, columns);
    }
    pull_group(a, same[g], turned_x, columns, g, begin, end);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
