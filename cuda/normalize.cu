// Layer and batch normalization with gradients: contracts in tessera/kernels/normalize.h.
//
// Mapping    layer norm: one warp per row, 8 rows per block. Batch norm and parameter gradients:
//            8 columns per block, 64 threads each (ColumnBlock in reduce.cuh).
// Cost       layer norm: x three times from L1/L2, HBM once, y once. Batch norm in training: x three
//            times, from L2 where N*C fits; few columns leave most of the GPU idle.
// Exactness  statistics in binary64, in an order fixed by the shape; the formulas applied to single
//            values are the CPU's, operation by operation.

#include "layer_norm.cuh"
#include "reduce.cuh"
#include "tessera/kernels/normalize.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

using cuda::ColumnBlock;

constexpr int kRowsPerBlock = 8;
constexpr int kThreads = kRowsPerBlock * cuda::kWarpSize;

__device__ int64_t warp_row() {
  return static_cast<int64_t>(blockIdx.x) * kRowsPerBlock + threadIdx.x / cuda::kWarpSize;
}

__global__ void layer_norm_kernel(LayerNorm a) {
  const int64_t n = warp_row();
  if (n >= a.x.rows) return;  // whole warps; there is no barrier below
  cuda::normalize_row(a.x.data + n * a.x.ld, a.x.cols, a.gain.data, a.shift.data, a.epsilon,
                      a.y.data + n * a.y.ld, a.mean.data + n, a.rstd.data + n);
}

__global__ void layer_norm_grad_kernel(LayerNormGrad a) {
  const int64_t n = warp_row();
  if (n >= a.x.rows) return;  // whole warps; there is no barrier below
  cuda::normalize_row_grad(a.x.data + n * a.x.ld, a.dy.data + n * a.dy.ld, a.x.cols, a.gain.data,
                           a.mean.data[n], a.rstd.data[n], a.beta_x, a.dx.data + n * a.dx.ld);
}

/// sums over rows of dy and dy * xhat for this thread's column, in all of its lanes. `at(n)` is
/// where row n finds its mean and rstd. All threads of the block call it.
struct ColumnTerms {
  double dy = 0, dy_xhat = 0;
};
template <class Grad, class At>
__device__ ColumnTerms column_terms(const Grad& a, At at) {
  const int64_t c = ColumnBlock::column();
  ColumnTerms terms;
  if (c < a.x.cols)
    for (int64_t n = ColumnBlock::row_lane(); n < a.x.rows; n += ColumnBlock::kRowLanes) {
      const double dy = double(a.dy.data[n * a.dy.ld + c]);
      const double xhat = (double(a.x.data[n * a.x.ld + c]) - double(a.mean.data[at(n)])) *
                          double(a.rstd.data[at(n)]);
      terms.dy += dy;
      terms.dy_xhat = fma(dy, xhat, terms.dy_xhat);
    }
  return {ColumnBlock::sum(terms.dy), ColumnBlock::sum(terms.dy_xhat)};
}

__device__ void store(const VectorView<real>& y, int64_t c, double value, real beta) {
  if (y.data == nullptr || c >= y.size || ColumnBlock::row_lane() != 0) return;
  y.data[c] = real(beta == 0 ? value : double(beta) * double(y.data[c]) + value);
}

__global__ void layer_norm_parameters_kernel(LayerNormGrad a) {
  const ColumnTerms terms = column_terms(a, [](int64_t n) { return n; });
  store(a.dgain, ColumnBlock::column(), terms.dy_xhat, a.beta_p);
  store(a.dshift, ColumnBlock::column(), terms.dy, a.beta_p);
}

/// Mean and variance of this thread's column over the batch. All threads of the block call it.
struct Statistics {
  double mean, variance, unbiased;
};
__device__ Statistics batch_statistics(const MatrixView<const real>& x) {
  const int64_t c = ColumnBlock::column();
  const double rows = static_cast<double>(x.rows);
  double sum = 0, square = 0;
  if (c < x.cols)
    for (int64_t n = ColumnBlock::row_lane(); n < x.rows; n += ColumnBlock::kRowLanes)
      sum += double(x.data[n * x.ld + c]);
  const double mean = ColumnBlock::sum(sum) / rows;
  if (c < x.cols)
    for (int64_t n = ColumnBlock::row_lane(); n < x.rows; n += ColumnBlock::kRowLanes) {
      const double t = double(x.data[n * x.ld + c]) - mean;
      square = fma(t, t, square);
    }
  const double total = ColumnBlock::sum(square);
  return {mean, total / rows, total / (rows > 1 ? rows - 1 : 1)};
}

__global__ void batch_norm_kernel(BatchNorm a) {
  const int64_t c = ColumnBlock::column();
  const bool exists = c < a.x.cols;  // no early exit: all meet the barriers
  Statistics now = {};
  if (a.training)
    now = batch_statistics(a.x);
  else if (exists)
    now = {double(a.running_mean.data[c]), double(a.running_variance.data[c]), 0};
  if (!exists) return;
  const real mean = real(now.mean), rstd = real(1 / sqrt(now.variance + double(a.epsilon)));
  if (ColumnBlock::row_lane() == 0) {
    a.mean.data[c] = mean;
    a.rstd.data[c] = rstd;
    if (a.training) {
      const double momentum = double(a.momentum);
      real &running_mean = a.running_mean.data[c], &variance = a.running_variance.data[c];
      running_mean = real((1 - momentum) * double(running_mean) + momentum * now.mean);
      variance = real((1 - momentum) * double(variance) + momentum * now.unbiased);
    }
  }
  for (int64_t n = ColumnBlock::row_lane(); n < a.x.rows; n += ColumnBlock::kRowLanes)
    a.y.data[n * a.y.ld + c] =
        fmaf((a.x.data[n * a.x.ld + c] - mean) * rstd, a.gain.data[c], a.shift.data[c]);
}

__global__ void batch_norm_grad_kernel(BatchNormGrad a) {
  const int64_t c = ColumnBlock::column();
  const ColumnTerms terms = column_terms(a, [c](int64_t) { return c; });
  store(a.dgain, c, terms.dy_xhat, a.beta_p);
  store(a.dshift, c, terms.dy, a.beta_p);
  if (a.dx.data == nullptr || c >= a.x.cols) return;
  const double rows = static_cast<double>(a.x.rows);
  const double mean_dy = a.training ? terms.dy / rows : 0;
  const double mean_dy_xhat = a.training ? terms.dy_xhat / rows : 0;
  const double mean = double(a.mean.data[c]), rstd = double(a.rstd.data[c]);
  const double factor = double(a.gain.data[c]) * rstd;
  for (int64_t n = ColumnBlock::row_lane(); n < a.x.rows; n += ColumnBlock::kRowLanes) {
    const double xhat = (double(a.x.data[n * a.x.ld + c]) - mean) * rstd;
    const double dx = factor * (double(a.dy.data[n * a.dy.ld + c]) - mean_dy - xhat * mean_dy_xhat);
    real& out = a.dx.data[n * a.dx.ld + c];
    out = real(a.beta_x == 0 ? dx : double(a.beta_x) * double(out) + dx);
  }
}

}  // namespace

void layer_norm(CudaContext& context, const LayerNorm& a) {
  cuda::launch(context, "layer_norm", layer_norm_kernel,
               cuda::ceil_div<int64_t>(a.x.rows, kRowsPerBlock), kThreads, a);
}
void layer_norm_grad(CudaContext& context, const LayerNormGrad& a) {
  if (a.dx.data != nullptr)
    cuda::launch(context, "layer_norm_grad", layer_norm_grad_kernel,
                 cuda::ceil_div<int64_t>(a.x.rows, kRowsPerBlock), kThreads, a);
  if (a.dgain.data != nullptr || a.dshift.data != nullptr)
    cuda::launch(context, "layer_norm_parameters", layer_norm_parameters_kernel,
                 ColumnBlock::blocks(a.x.cols), ColumnBlock::kThreads, a);
}
void batch_norm(CudaContext& context, const BatchNorm& a) {
  cuda::launch(context, "batch_norm", batch_norm_kernel, ColumnBlock::blocks(a.x.cols),
               ColumnBlock::kThreads, a);
}
void batch_norm_grad(CudaContext& context, const BatchNormGrad& a) {
  cuda::launch(context, "batch_norm_grad", batch_norm_grad_kernel, ColumnBlock::blocks(a.x.cols),
               ColumnBlock::kThreads, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
