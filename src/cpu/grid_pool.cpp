// Pooling of grids and series: contracts in tessera/kernels/grid_pool.h.
//
// Mapping    rows of the result over the threads, channels over the lanes: plain loops that the
//            compiler vectorises for each target.
// Exactness  each result is one thread's, in the contract's order: the same bits for every number of
//            threads and every target.

#define HWY_TARGET_INCLUDE "cpu/grid_pool.cpp"
#include "cpu/simd_targets.h"
// First the targets, then all else.
#include <algorithm>

#include "cpu/cpu_context.h"
#include "hwy/highway.h"
#include "tessera/kernels/grid_pool.h"
#include "tessera/kernels/window_spans.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

constexpr int64_t kSumLanes = 64;  // channels summed at a time: their sums stay in L1

/// Calls f(row, sample, place) for rows [begin, end) of `grids`.
template <class F>
HWY_INLINE void for_rows(const Grids& grids, int64_t begin, int64_t end, F&& f) {
  for (int64_t row = begin; row < end;) {
    const int32_t sample = sample_of(grids, row);
    const GridPlace place = place_of(grids, sample);
    const int64_t last = std::min(end, place.first_row + int64_t{place.height} * place.width);
    for (; row < last; ++row) f(row, sample, place);
  }
}

/// The first row that a window shows.
HWY_INLINE void start_maximum(const real* __restrict__ x, int32_t row, int64_t cols,
                              real* __restrict__ y, int32_t* __restrict__ source) {
  for (int64_t c = 0; c < cols; ++c) {
    y[c] = x[c];
    source[c] = row;
  }
}

/// Replaces what a larger channel of `x` beats; an equal one came first.
HWY_INLINE void raise_maximum(const real* __restrict__ x, int32_t row, int64_t cols,
                              real* __restrict__ y, int32_t* __restrict__ source) {
  for (int64_t c = 0; c < cols; ++c) {
    const bool larger = x[c] > y[c];
    source[c] = larger ? row : source[c];
    y[c] = larger ? x[c] : y[c];
  }
}

void max_pool_rows(const MaxPool& a, int64_t begin, int64_t end) {
  for_rows(a.out, begin, end, [&](int64_t q, int32_t sample, const GridPlace& out) HWY_ATTR {
    const Rectangle shown = positions_shown(place_of(a.in, sample), out, a.window, q);
    real* y = a.y.data + q * a.y.ld;
    int32_t* source = a.source.data + q * a.source.ld;
    for (int32_t i = shown.rows.begin; i < shown.rows.end; ++i)
      for (int32_t j = shown.columns.begin; j < shown.columns.end; ++j) {
        const int64_t p = row_of(shown, i, j);
        const real* x = a.x.data + p * a.x.ld;
        if (i == shown.rows.begin && j == shown.columns.begin)
          start_maximum(x, static_cast<int32_t>(p), a.y.cols, y, source);
        else
          raise_maximum(x, static_cast<int32_t>(p), a.y.cols, y, source);
      }
  });
}

/// Adds to dx what went to row p.
HWY_INLINE void add_where_taken(const real* __restrict__ dy, const int32_t* __restrict__ source,
                                int32_t p, int64_t cols, real* __restrict__ sum) {
  for (int64_t c = 0; c < cols; ++c) sum[c] += source[c] == p ? dy[c] : real(0);
}

/// y = beta y, for what is then added to.
HWY_INLINE void scale_row(real beta, int64_t cols, real* y) {
  if (beta == 0)
    std::fill(y, y + cols, real(0));
  else if (beta != 1)
    for (int64_t c = 0; c < cols; ++c) y[c] *= beta;
}

void max_pool_grad_rows(const MaxPoolGrad& a, int64_t begin, int64_t end) {
  for_rows(a.in, begin, end, [&](int64_t p, int32_t sample, const GridPlace& in) HWY_ATTR {
    const Rectangle by = windows_that_show(in, place_of(a.out, sample), a.window, p);
    real* dx = a.dx.data + p * a.dx.ld;
    scale_row(a.beta, a.dx.cols, dx);
    for (int32_t y = by.rows.begin; y < by.rows.end; ++y)
      for (int32_t x = by.columns.begin; x < by.columns.end; ++x) {
        const int64_t q = row_of(by, y, x);
        add_where_taken(a.dy.data + q * a.dy.ld, a.source.data + q * a.source.ld,
                        static_cast<int32_t>(p), a.dx.cols, dx);
      }
  });
}

/// y[c] = mean of rows [begin, end) of x, in order, summed in binary64.
HWY_INLINE void mean_of_rows(const MatrixView<const real>& x, int64_t begin, int64_t end,
                             int64_t cols, real* __restrict__ y) {
  for (int64_t first = 0; first < cols; first += kSumLanes) {
    double sum[kSumLanes] = {};
    const int64_t count = std::min(kSumLanes, cols - first);
    for (int64_t p = begin; p < end; ++p) {
      const real* __restrict__ row = x.data + p * x.ld + first;
      for (int64_t c = 0; c < count; ++c) sum[c] += static_cast<double>(row[c]);
    }
    const double rows = static_cast<double>(end - begin);
    for (int64_t c = 0; c < count; ++c) y[first + c] = static_cast<real>(sum[c] / rows);
  }
}

void grid_mean_samples(const GridMean& a, int64_t begin, int64_t end) {
  for (int64_t s = begin; s < end; ++s) {
    const GridPlace in = place_of(a.in, static_cast<int32_t>(s));
    mean_of_rows(a.x, in.first_row, in.first_row + int64_t{in.height} * in.width, a.y.cols,
                 a.y.data + s * a.y.ld);
  }
}

void grid_mean_grad_rows(const GridMeanGrad& a, int64_t begin, int64_t end) {
  for_rows(a.in, begin, end, [&](int64_t p, int32_t sample, const GridPlace& in) HWY_ATTR {
    const real positions = static_cast<real>(int64_t{in.height} * in.width);
    const real* __restrict__ dy = a.dy.data + sample * a.dy.ld;
    real* __restrict__ dx = a.dx.data + p * a.dx.ld;
    scale_row(a.beta, a.dx.cols, dx);
    for (int64_t c = 0; c < a.dx.cols; ++c) dx[c] += dy[c] / positions;
  });
}

void series_mean_rows(const SeriesMean& a, int64_t begin, int64_t end) {
  for_rows(a.out, begin, end, [&](int64_t q, int32_t sample, const GridPlace& out) HWY_ATTR {
    const GridPlace in = place_of(a.in, sample % a.in.count);
    const Span bin = bin_of(static_cast<int32_t>(q - out.first_row), in.width, out.width);
    mean_of_rows(a.x, in.first_row + bin.begin, in.first_row + bin.end, a.y.cols,
                 a.y.data + q * a.y.ld);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {
constexpr int64_t kGrainValues = 4096;  // read for one piece: microseconds

/// Rows of a piece where each reads `values`.
int64_t grain_of(int64_t values) {
  return std::max<int64_t>(1, kGrainValues / std::max<int64_t>(1, values));
}
}  // namespace

HWY_EXPORT(max_pool_rows);
void max_pool(CpuContext& context, const MaxPool& a) {
  const auto rows = HWY_DYNAMIC_DISPATCH(max_pool_rows);
  context.parallel_ranges("max_pool", a.out.rows,
                          grain_of(a.y.cols * a.window.height * a.window.width),
                          [&](int64_t begin, int64_t end) { rows(a, begin, end); });
}

HWY_EXPORT(max_pool_grad_rows);
void max_pool_grad(CpuContext& context, const MaxPoolGrad& a) {
  const auto rows = HWY_DYNAMIC_DISPATCH(max_pool_grad_rows);
  context.parallel_ranges("max_pool_grad", a.in.rows, grain_of(2 * a.dx.cols),
                          [&](int64_t begin, int64_t end) { rows(a, begin, end); });
}

HWY_EXPORT(grid_mean_samples);
void grid_mean(CpuContext& context, const GridMean& a) {
  const auto samples = HWY_DYNAMIC_DISPATCH(grid_mean_samples);
  const int64_t positions = a.in.count == 0 ? 1 : a.in.rows / a.in.count;
  context.parallel_ranges("grid_mean", a.in.count, grain_of(a.y.cols * positions),
                          [&](int64_t begin, int64_t end) { samples(a, begin, end); });
}

HWY_EXPORT(grid_mean_grad_rows);
void grid_mean_grad(CpuContext& context, const GridMeanGrad& a) {
  const auto rows = HWY_DYNAMIC_DISPATCH(grid_mean_grad_rows);
  context.parallel_ranges("grid_mean_grad", a.in.rows, grain_of(a.dx.cols),
                          [&](int64_t begin, int64_t end) { rows(a, begin, end); });
}

HWY_EXPORT(series_mean_rows);
void series_mean(CpuContext& context, const SeriesMean& a) {
  const auto rows = HWY_DYNAMIC_DISPATCH(series_mean_rows);
  const int64_t each = a.out.rows == 0 ? 1 : (a.in.rows + a.out.rows - 1) / a.out.rows;
  context.parallel_ranges("series_mean", a.out.rows, grain_of(a.y.cols * each),
                          [&](int64_t begin, int64_t end) { rows(a, begin, end); });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
