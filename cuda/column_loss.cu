// Squared error by columns: contracts in tessera/kernels/column_loss.h.
//
// Mapping    sums: 8 columns per block, 64 threads each (ColumnBlock in reduce.cuh); one block then
//            weighs them. Gradient: 256 threads x 4 values per block.
// Cost       HBM: both operands once forward; gradient: both, and the result.
// Exactness  binary64, in an order fixed by the shape; the weighted sum in 256 lanes of columns.

#include "launch.cuh"
#include "reduce.cuh"
#include "tessera/kernels/column_loss.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

using cuda::ColumnBlock;

constexpr int kThreads = 256;

/// The column of the target that column c of the prediction is compared with.
__device__ int64_t target_of(const VectorView<const int32_t>& target, int64_t c) {
  return target.data != nullptr ? target.data[c] : c;
}

__global__ void column_squares_kernel(ColumnSquaredError a) {
  const int64_t c = ColumnBlock::column();
  const bool exists = c < a.p.cols;  // no early exit: all meet the barriers
  double sum = 0;
  if (exists) {
    const int64_t at = target_of(a.target, c);
    for (int64_t n = ColumnBlock::row_lane(); n < a.p.rows; n += ColumnBlock::kRowLanes) {
      const double diff = double(a.p.data[n * a.p.ld + c]) - double(a.t.data[n * a.t.ld + at]);
      sum = fma(diff, diff, sum);
    }
  }
  sum = ColumnBlock::sum(sum);
  if (exists && ColumnBlock::row_lane() == 0) a.sums.data[c] = sum;
}

__global__ void weigh_columns_kernel(ColumnSquaredError a) {
  double part = 0;
  for (int64_t c = threadIdx.x; c < a.p.cols; c += kThreads)
    part = fma(double(a.weight.data[c]), a.sums.data[c], part);
  const double loss = cuda::block_sum<kThreads>(part);
  if (threadIdx.x == 0) a.loss.data[0] = real(a.factor * loss);
}

__global__ void column_squared_error_grad_kernel(ColumnSquaredErrorGrad a) {
  const real factor = real(double(a.dloss.data[0]) * 2 * a.factor);
  cuda::for_elements(a.p.rows * a.p.cols, [&](int64_t i) {
    const int64_t n = i / a.p.cols, c = i % a.p.cols;
    const real diff = a.p.data[n * a.p.ld + c] - a.t.data[n * a.t.ld + target_of(a.target, c)];
    const real value = factor * a.weight.data[c] * diff;
    real& dp = a.dp.data[n * a.dp.ld + c];
    dp = a.beta == 0 ? value : fmaf(a.beta, dp, value);
  });
}

}  // namespace

void column_squared_error(CudaContext& context, const ColumnSquaredError& a) {
  cuda::launch(context, "column_squares", column_squares_kernel, ColumnBlock::blocks(a.p.cols),
               ColumnBlock::kThreads, a);
  cuda::launch(context, "column_squared_error", weigh_columns_kernel, 1, kThreads, a);
}

void column_squared_error_grad(CudaContext& context, const ColumnSquaredErrorGrad& a) {
  cuda::launch_elements(context, "column_squared_error_grad", column_squared_error_grad_kernel,
                        a.p.rows * a.p.cols, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
