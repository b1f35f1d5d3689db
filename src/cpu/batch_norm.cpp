// Batch norm: contracts in tessera/kernels/normalize.h.
//
// Mapping    sums over rows: pieces of 1024 rows times blocks of 64 columns over the threads, a lane a
//            column; then rows over the threads. Written for many rows of few columns, as convolutions
//            give them.
// Cost       training reads x three times and writes y once; the gradient reads x and dy twice.
// Exactness  sums in binary64, n ascending in each piece, pieces ascending.

#define HWY_TARGET_INCLUDE "cpu/batch_norm.cpp"
#include "cpu/simd_targets.h"
// First the targets, then all else.
#include <algorithm>
#include <cmath>
#include <type_traits>
#include <vector>

#include "cpu/cpu_context.h"
#include "cpu/simd-inl.h"
#include "tessera/kernels/normalize.h"

#ifndef TESSERA_CPU_BATCH_NORM
#define TESSERA_CPU_BATCH_NORM
namespace tessera::inline TESSERA_PRECISION::kernels {
/// Rows [first_row, last_row) of columns [first, first + count).
struct NormBlock {
  int64_t first_row, last_row, first, count;
};
/// What the gradient needs of each column.
struct NormColumns {
  std::vector<double> mean_dy, mean_dy_xhat, factor;  // [C]
};
}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

/// Calls f(d, n, count, c) for the rows n to n + count - 1 of column lanes c, rows ascending; four rows at
/// a time, so that a sum waits for memory once in four.
template <class F>
HWY_INLINE void for_block(const NormBlock& block, F&& f) {
  int64_t n = block.first_row;
  for (; n + 4 <= block.last_row; n += 4)
    for_double_lanes(block.count, [&](auto d, int64_t c)
                                      HWY_ATTR { f(d, n, std::integral_constant<int, 4>{}, c); });
  for (; n < block.last_row; ++n)
    for_double_lanes(block.count, [&](auto d, int64_t c)
                                      HWY_ATTR { f(d, n, std::integral_constant<int, 1>{}, c); });
}

/// sums[c] = sum of x.
void batch_norm_sums(const BatchNorm& a, const NormBlock& block, double* sums) {
  for_block(block, [&](auto d, int64_t n, auto count, int64_t c) HWY_ATTR {
    auto sum = hn::LoadU(d, sums + c);
    for (int k = 0; k < count(); ++k)
      sum = hn::Add(sum, load_double(d, a.x.data + (n + k) * a.x.ld + block.first + c));
    hn::StoreU(sum, d, sums + c);
  });
}

/// sums[c] = sum of (x - mean)^2; mean [C].
void batch_norm_squares(const BatchNorm& a, const NormBlock& block, const double* mean,
                        double* sums) {
  for_block(block, [&](auto d, int64_t n, auto count, int64_t c) HWY_ATTR {
    const auto m = hn::LoadU(d, mean + block.first + c);
    auto sum = hn::LoadU(d, sums + c);
    for (int k = 0; k < count(); ++k) {
      const auto t = hn::Sub(load_double(d, a.x.data + (n + k) * a.x.ld + block.first + c), m);
      sum = mul_add(t, t, sum);
    }
    hn::StoreU(sum, d, sums + c);
  });
}

void batch_norm_rows(const BatchNorm& a, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const real* x = a.x.data + n * a.x.ld;
    real* y = a.y.data + n * a.y.ld;
    for_lanes(a.x.cols, [&](auto d, int64_t c) HWY_ATTR {
      const auto xhat = hn::Mul(hn::Sub(hn::LoadU(d, x + c), hn::LoadU(d, a.mean.data + c)),
                                hn::LoadU(d, a.rstd.data + c));
      hn::StoreU(mul_add(xhat, hn::LoadU(d, a.gain.data + c), hn::LoadU(d, a.shift.data + c)), d,
                 y + c);
    });
  }
}

/// (x - mean) rstd of one row at columns c, c + 1, ...
template <class D>
HWY_INLINE hn::VFromD<D> normalized(D d, const BatchNormGrad& a, int64_t n, int64_t c) {
  return hn::Mul(
      hn::Sub(load_double(d, a.x.data + n * a.x.ld + c), load_double(d, a.mean.data + c)),
      load_double(d, a.rstd.data + c));
}

/// dy[c] = sum of dy, dy_xhat[c] = sum of dy xhat.
void batch_norm_grad_sums(const BatchNormGrad& a, const NormBlock& block, double* dy,
                          double* dy_xhat) {
  for_block(block, [&](auto d, int64_t n, auto count, int64_t c) HWY_ATTR {
    auto sum = hn::LoadU(d, dy + c), product = hn::LoadU(d, dy_xhat + c);
    for (int k = 0; k < count(); ++k) {
      const auto g = load_double(d, a.dy.data + (n + k) * a.dy.ld + block.first + c);
      sum = hn::Add(sum, g);
      product = mul_add(g, normalized(d, a, n + k, block.first + c), product);
    }
    hn::StoreU(sum, d, dy + c);
    hn::StoreU(product, d, dy_xhat + c);
  });
}

void batch_norm_grad_rows(const BatchNormGrad& a, const NormColumns& columns, int64_t begin,
                          int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const real* dy = a.dy.data + n * a.dy.ld;
    real* dx = a.dx.data + n * a.dx.ld;
    for_double_lanes(a.x.cols, [&](auto d, int64_t c) HWY_ATTR {
      const auto along = hn::Mul(normalized(d, a, n, c), hn::LoadU(d, &columns.mean_dy_xhat[c]));
      const auto centred = hn::Sub(load_double(d, dy + c), hn::LoadU(d, &columns.mean_dy[c]));
      auto value = hn::Mul(hn::LoadU(d, &columns.factor[c]), hn::Sub(centred, along));
      if (a.beta_x != 0)
        value = hn::Add(hn::Mul(hn::Set(d, double(a.beta_x)), load_double(d, dx + c)), value);
      store_double(value, d, dx + c);
    });
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

constexpr int64_t kPieceRows = 1024, kBlockColumns = 64, kRowGrain = 256;

/// Sums over all rows, `sums` of each column: f(block, first sum, second sum) adds up one block. Call
/// inside enqueue().
template <class F>
std::vector<double> column_totals(ThreadPool& pool, int64_t rows, int64_t cols, int64_t sums,
                                  F&& f) {
  const int64_t pieces = (rows + kPieceRows - 1) / kPieceRows;
  const int64_t blocks = (cols + kBlockColumns - 1) / kBlockColumns;
  std::vector<double> parts(static_cast<size_t>(pieces * sums * cols));
  pool.run(pieces * blocks, [&](int64_t i) {
    const int64_t piece = i / blocks, first = i % blocks * kBlockColumns;
    const NormBlock block = {piece * kPieceRows, std::min(rows, (piece + 1) * kPieceRows), first,
                             std::min(kBlockColumns, cols - first)};
    double* to = parts.data() + piece * sums * cols + first;
    f(block, to, to + (sums - 1) * cols);
  });
  for (int64_t piece = 1; piece < pieces; ++piece)
    for (int64_t c = 0; c < sums * cols; ++c)
      parts[static_cast<size_t>(c)] += parts[static_cast<size_t>(piece * sums * cols + c)];
  parts.resize(static_cast<size_t>(sums * cols));
  return parts;
}

/// f(begin, end) over the rows. Call inside enqueue().
template <class F>
void over_rows(ThreadPool& pool, int64_t rows, F&& f) {
  pool.run((rows + kRowGrain - 1) / kRowGrain,
           [&](int64_t i) { f(i * kRowGrain, std::min(rows, (i + 1) * kRowGrain)); });
}

/// Moves the running statistics; mean and squares [C] of the batch.
void move_running(const BatchNorm& a, const double* mean, const double* squares) {
  const int64_t rows = a.x.rows;
  const double momentum = double(a.momentum);
  const auto move = [&](real& running, double now) {
    running = real((1 - momentum) * double(running) + momentum * now);
  };
  for (int64_t c = 0; c < a.x.cols; ++c) {
    move(a.running_mean.data[c], mean[c]);
    move(a.running_variance.data[c],
         squares[c] / static_cast<double>(std::max<int64_t>(1, rows - 1)));
  }
}

void store(const VectorView<real>& y, int64_t c, double value, real beta) {
  if (y.data == nullptr) return;
  y.data[c] = real(beta == 0 ? value : double(beta) * double(y.data[c]) + value);
}

}  // namespace

HWY_EXPORT(batch_norm_sums);
HWY_EXPORT(batch_norm_squares);
HWY_EXPORT(batch_norm_rows);
void batch_norm(CpuContext& context, const BatchNorm& a) {
  const auto sum = HWY_DYNAMIC_DISPATCH(batch_norm_sums);
  const auto square = HWY_DYNAMIC_DISPATCH(batch_norm_squares);
  const auto normalize = HWY_DYNAMIC_DISPATCH(batch_norm_rows);
  context.enqueue("batch_norm", [&] {
    const int64_t rows = a.x.rows, cols = a.x.cols;
    const auto count = static_cast<double>(rows);
    std::vector<double> mean(a.running_mean.data, a.running_mean.data + cols);
    std::vector<double> variance(a.running_variance.data, a.running_variance.data + cols);
    if (a.training) {
      mean = column_totals(context.pool(), rows, cols, 1,
                           [&](const NormBlock& block, double* to, double*) { sum(a, block, to); });
      for (double& m : mean) m /= count;
      variance = column_totals(
          context.pool(), rows, cols, 1,
          [&](const NormBlock& block, double* to, double*) { square(a, block, mean.data(), to); });
      move_running(a, mean.data(), variance.data());
      for (double& v : variance) v /= count;
    }
    for (int64_t c = 0; c < cols; ++c) {
      a.mean.data[c] = real(mean[static_cast<size_t>(c)]);
      a.rstd.data[c] = real(1 / std::sqrt(variance[static_cast<size_t>(c)] + double(a.epsilon)));
    }
    over_rows(context.pool(), rows, [&](int64_t begin, int64_t end) { normalize(a, begin, end); });
  });
}

HWY_EXPORT(batch_norm_grad_sums);
HWY_EXPORT(batch_norm_grad_rows);
void batch_norm_grad(CpuContext& context, const BatchNormGrad& a) {
  const auto sums = HWY_DYNAMIC_DISPATCH(batch_norm_grad_sums);
  const auto grad = HWY_DYNAMIC_DISPATCH(batch_norm_grad_rows);
  context.enqueue("batch_norm_grad", [&] {
    const int64_t cols = a.x.cols;
    const auto rows = static_cast<double>(a.x.rows);
    const std::vector<double> totals = column_totals(
        context.pool(), a.x.rows, cols, 2,
        [&](const NormBlock& block, double* dy, double* dy_xhat) { sums(a, block, dy, dy_xhat); });
    NormColumns columns;
    for (int64_t c = 0; c < cols; ++c) {
      const double dy = totals[static_cast<size_t>(c)],
                   dy_xhat = totals[static_cast<size_t>(cols + c)];
      store(a.dshift, c, dy, a.beta_p);
      store(a.dgain, c, dy_xhat, a.beta_p);
      columns.mean_dy.push_back(a.training ? dy / rows : 0);
      columns.mean_dy_xhat.push_back(a.training ? dy_xhat / rows : 0);
      columns.factor.push_back(double(a.gain.data[c]) * double(a.rstd.data[c]));
    }
    if (a.dx.data == nullptr) return;
    over_rows(context.pool(), a.x.rows,
              [&](int64_t begin, int64_t end) { grad(a, columns, begin, end); });
  });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
