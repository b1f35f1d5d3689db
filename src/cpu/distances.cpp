// Distances between rows and their correlation: contracts in tessera/kernels/distances.h.
//
// Mapping    tiles of rows over the threads; lanes are the other row j, read from a transposed copy of x.
//            Where rows repeat in the columns of a group (repeated_rows.h), as quantized rows do, it
//            works on classes of equal rows.
// Cost       distances: n*n*C/2 subtract and multiply-add, n*K*C where rows are of K classes; gradient:
//            that for all pairs and a product n*n*C, or n*n + n*K*C.
// Exactness  as the contract; roots within 2 ulp (inverse_root). The gradient: distance_pull-inl.h.

#define HWY_TARGET_INCLUDE "cpu/distances.cpp"
#include "cpu/simd_targets.h"
// First the targets, then all else.
#include <algorithm>
#include <cmath>

#include "cpu/chunked_sum.h"
#include "cpu/cpu_context.h"
#include "cpu/distance_pull-inl.h"
#include "cpu/distance_tile-inl.h"
#include "cpu/repeated_rows.h"
#include "cpu/simd-inl.h"
#include "cpu/simd_scratch.h"
#include "tessera/kernels/distances.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

/// Rows [begin, end) of x transposed to out (TurnedRows); rows beyond the end are copies of the last.
void turn(const MatrixView<const real>& x, int64_t begin, int64_t end, real* out) {
  for (int64_t n = begin; n < whole_tiles(end); n += kRealLanes) {
    const real* rows[kRealLanes];
    for (int64_t l = 0; l < kRealLanes; ++l) rows[l] = x.data + std::min(n + l, x.rows - 1) * x.ld;
    turn_rows(rows, x.cols, n, out);
  }
}

/// sums[r][l] += |rows[r] - other l| for the others of a tile.
HWY_INLINE void add_distances(const real* const (&rows)[kTileRows], const real* turned,
                              int64_t cols, real (*sums)[kPairLanes]) {
  const RealTag d;
  PairTile squares;
  square_distances(rows, turned, cols, squares);
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < 2; ++v) {
      real* sum = sums[r] + v * kRealLanes;
      const RealVec s = squares[r][v];
      hn::StoreU(hn::Add(hn::LoadU(d, sum), hn::Mul(s, inverse_root(s))), d, sum);
    }
}

/// Distances of the classes of a group to all rows, out [classes, rows in whole tiles].
void class_distances(const MatrixView<const real>& x, const ColumnGroup& group,
                     const RepeatedRows& same, const real* turned_x, real* out) {
  const int64_t pitch = whole_tiles(x.rows);
  const TurnedRows turned = {turned_x, x.cols};
  for (int64_t k = 0; k < same.classes(); k += kTileRows) {
    const real* rows[kTileRows];
    for (int r = 0; r < kTileRows; ++r)
      rows[r] = x.data + same.first[std::min(k + r, same.classes() - 1)] * x.ld + group.begin;
    for (int64_t j = 0; j < pitch; j += kPairLanes) {
      real sums[kTileRows][kPairLanes] = {};
      add_distances(rows, turned.at(j, group.begin), group.cols, sums);
      for (int64_t r = 0; r < std::min<int64_t>(kTileRows, same.classes() - k); ++r)
        std::copy_n(sums[r], kPairLanes, out + (k + r) * pitch + j);
    }
  }
}

/// The distances of rows [i0, i0 + rows) to the others of the tile at j0, and their mirror image.
void distance_tile(const MeanDistances& a, const DistanceParts& parts, int64_t i0, int64_t rows,
                   int64_t j0) {
  const RealTag d;
  const int64_t n = a.x.rows, pitch = whole_tiles(n);
  const TurnedRows turned = {parts.turned, a.x.cols};
  const auto row_of = [&](int64_t r) { return i0 + std::min(r, rows - 1); };
  real sums[kTileRows][kPairLanes] = {};
  for (int32_t g = 0; g < a.groups.count; ++g) {
    const ColumnGroup& group = a.groups[g];
    if (parts.same[g].empty()) {
      const real* x[kTileRows];
      for (int r = 0; r < kTileRows; ++r) x[r] = a.x.data + row_of(r) * a.x.ld + group.begin;
      add_distances(x, turned.at(j0, group.begin), group.cols, sums);
      continue;
    }
    for (int r = 0; r < kTileRows; ++r) {
      const real* table = parts.tables[g] + parts.same[g].class_of[row_of(r)] * pitch + j0;
      for (int64_t l = 0; l < kPairLanes; l += kRealLanes)
        hn::StoreU(hn::Add(hn::LoadU(d, sums[r] + l), hn::LoadU(d, table + l)), d, sums[r] + l);
    }
  }
  const auto share = hn::Set(d, real(1) / static_cast<real>(a.groups.count));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t l = 0; l < kPairLanes; l += kRealLanes)
      hn::StoreU(hn::Mul(hn::LoadU(d, sums[r] + l), share), d, sums[r] + l);
  // A place right of the rows' own columns and its mirror image are written by no one else.
  const int64_t first = std::max(i0, j0), last = std::min(n, j0 + kPairLanes);
  for (int64_t r = 0; r < rows; ++r)
    std::copy(sums[r] + (first - j0), sums[r] + (last - j0),
              a.distances.data + (i0 + r) * a.distances.ld + first);
  for (int64_t j = first; j < last; ++j)
    for (int64_t r = 0; r < rows; ++r)
      a.distances.data[j * a.distances.ld + i0 + r] = sums[r][j - j0];
}

/// Rows [begin, end) of the distances right of the diagonal, and the columns that mirror them.
void distance_rows(const MeanDistances& a, const DistanceParts& parts, int64_t begin, int64_t end) {
  for (int64_t j0 = begin / kPairLanes * kPairLanes; j0 < a.x.rows; j0 += kPairLanes)
    for (int64_t i0 = begin; i0 < std::min(end, j0 + kPairLanes); i0 += kTileRows)
      distance_tile(a, parts, i0, std::min<int64_t>(kTileRows, end - i0), j0);
}

/// Values of x as TurnedRows.
int64_t turned_size(const MatrixView<const real>& x) { return whole_tiles(x.rows) * x.cols; }

double sum_values(const real* x, int64_t n) { return sum_lanes(x, n); }

double centred_product(const real* x, double x_mean, const real* y, double y_mean, int64_t n) {
  return fold_lanes(n, [=](auto d, int64_t i, auto acc) HWY_ATTR {
    const auto u = hn::Sub(load_double(d, x + i), hn::Set(d, x_mean));
    const auto v = hn::Sub(load_double(d, y + i), hn::Set(d, y_mean));
    return mul_add(u, v, acc);
  });
}

void correlation_grad_range(const real* own, double own_mean, const real* other, double other_mean,
                            CorrelationSlope slope, real beta, real* out, int64_t begin,
                            int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    const real value = real(slope.toward * (double(other[i]) - other_mean) +
                            slope.along * (double(own[i]) - own_mean));
    out[i] = beta == 0 ? value : std::fma(beta, out[i], value);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {
constexpr int64_t kGrain = 32768;
constexpr int64_t kSlabRows = 64;  // rows of a chunk: whole tiles of every target
// A table of the distances of classes to rows is kept where it is small beside all distances; for the
// gradient, classes need no table.
constexpr int64_t kGroupParts = 6;  // that share the rows of a slab among chunks of the gradient
constexpr int64_t kRowsPerTableClass = 8, kRowsPerPullClass = 2;

/// What the thread that calls keeps between calls.
struct DistanceScratch {
  SimdScratch turned, table;
  std::vector<RepeatedRows> same;  // [G]
  std::vector<real*> tables;       // [G]
};

HWY_EXPORT(turn);
HWY_EXPORT(turned_size);
/// Fills `turned` and `same`; returns the former.
const real* prepare(CpuContext& context, const Groups<ColumnGroup>& groups,
                    const MatrixView<const real>& x, int64_t most_classes, DistanceScratch& own) {
  const auto part = HWY_DYNAMIC_DISPATCH(turn);
  real* turned = own.turned.get<real>(HWY_DYNAMIC_DISPATCH(turned_size)(x));
  own.same.resize(static_cast<size_t>(groups.count));
  const int64_t slabs = (x.rows + kSlabRows - 1) / kSlabRows;
  context.pool().run(slabs + groups.count, [&](int64_t i) {
    if (i < slabs)
      part(x, i * kSlabRows, std::min(x.rows, (i + 1) * kSlabRows), turned);
    else
      own.same[i - slabs].find(x, groups[static_cast<int32_t>(i - slabs)], most_classes);
  });
  return turned;
}
}  // namespace

HWY_EXPORT(class_distances);
HWY_EXPORT(distance_rows);
void mean_distances(CpuContext& context, const MeanDistances& a) {
  const auto table = HWY_DYNAMIC_DISPATCH(class_distances);
  const auto rows = HWY_DYNAMIC_DISPATCH(distance_rows);
  context.enqueue("mean_distances", [&] {
    if (a.x.rows == 0) return;
    thread_local DistanceScratch scratch;
    DistanceScratch& own = scratch;  // of this thread, seen by all
    const real* turned = prepare(context, a.groups, a.x, a.x.rows / kRowsPerTableClass, own);
    const int64_t pitch = (a.x.rows + kSlabRows - 1) / kSlabRows * kSlabRows;
    int64_t classes = 0;
    for (const RepeatedRows& same : own.same) classes += same.classes();
    real* memory = own.table.get<real>(static_cast<size_t>(classes * pitch));
    own.tables.clear();
    for (const RepeatedRows& same : own.same) {
      own.tables.push_back(memory);
      memory += same.classes() * pitch;
    }
    context.pool().run(a.groups.count, [&](int64_t g) {
      if (!own.same[g].empty())
        table(a.x, a.groups[static_cast<int32_t>(g)], own.same[g], turned, own.tables[g]);
    });
    context.pool().run((a.x.rows + kSlabRows - 1) / kSlabRows, [&](int64_t i) {
      rows(a, {turned, own.same.data(), own.tables.data()}, i * kSlabRows,
           std::min(a.x.rows, (i + 1) * kSlabRows));
    });
  });
}

HWY_EXPORT(pull_rows);
void mean_distances_grad(CpuContext& context, const MeanDistancesGrad& a) {
  const auto pull = HWY_DYNAMIC_DISPATCH(pull_rows);
  context.enqueue("mean_distances_grad", [&] {
    if (a.x.rows == 0) return;
    thread_local DistanceScratch scratch;
    DistanceScratch& own = scratch;  // of this thread, seen by all
    const real* turned = prepare(context, a.groups, a.x, a.x.rows / kRowsPerPullClass, own);
    const int64_t slabs = (a.x.rows + kSlabRows - 1) / kSlabRows;
    const int64_t parts = std::min<int64_t>(a.groups.count, kGroupParts);
    context.pool().run(slabs * parts, [&](int64_t chunk) {
      const int64_t begin = chunk / parts * kSlabRows, part = chunk % parts;
      const auto group = [&](int64_t i) {
        return static_cast<int32_t>(i * a.groups.count / parts);
      };
      pull(a, own.same.data(), turned, group(part), group(part + 1), begin,
           std::min(a.x.rows, begin + kSlabRows));
    });
  });
}

HWY_EXPORT(sum_values);
HWY_EXPORT(centred_product);
void vector_correlation(CpuContext& context, const VectorCorrelation& a) {
  const auto sum = HWY_DYNAMIC_DISPATCH(sum_values);
  const auto product = HWY_DYNAMIC_DISPATCH(centred_product);
  context.enqueue("vector_correlation", [&] {
    const int64_t n = a.a.size;
    const auto mean = [&](const real* x) {
      const auto part = [&](int64_t begin, int64_t end) { return sum(x + begin, end - begin); };
      return n > 0 ? chunked_sum(context, n, part) / static_cast<double>(n) : 0.0;
    };
    const double mean_a = mean(a.a.data), mean_b = mean(a.b.data);
    const auto centred = [&](const real* x, double x_mean, const real* y, double y_mean) {
      return chunked_sum(context, n, [&](int64_t begin, int64_t end) {
        return product(x + begin, x_mean, y + begin, y_mean, end - begin);
      });
    };
    const double aa = centred(a.a.data, mean_a, a.a.data, mean_a);
    const double bb = centred(a.b.data, mean_b, a.b.data, mean_b);
    const double ab = centred(a.a.data, mean_a, a.b.data, mean_b);
    const double all[] = {mean_a, mean_b, aa, bb, ab};
    std::copy(std::begin(all), std::end(all), a.moments.data);
    a.r.data[0] = real(ab / (std::sqrt(aa) * std::sqrt(bb) + 1e-8));
  });
}

HWY_EXPORT(correlation_grad_range);
void vector_correlation_grad(CpuContext& context, const VectorCorrelationGrad& a) {
  const auto range = HWY_DYNAMIC_DISPATCH(correlation_grad_range);
  context.parallel_ranges(
      "vector_correlation_grad", a.a.size, kGrain, [&](int64_t begin, int64_t end) {
        const double* m = a.moments.data;
        const double dr = double(a.dr.data[0]);
        if (a.da.data != nullptr)
          range(a.a.data, m[0], a.b.data, m[1], correlation_slope(m[3], m[2], m[4], dr), a.beta_a,
                a.da.data, begin, end);
        if (a.db.data != nullptr)
          range(a.b.data, m[1], a.a.data, m[0], correlation_slope(m[2], m[3], m[4], dr), a.beta_b,
                a.db.data, begin, end);
      });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
