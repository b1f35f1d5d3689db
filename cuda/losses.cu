// Losses and their gradients: contracts in tessera/kernels/losses.h.
//
// Mapping    up to 1,024 blocks stride over the values; the block that finishes last adds the
//            blocks' sums (reduce.cuh). Gradient: 256 threads x 4 values per block.
// Cost       HBM: 8 bytes per value forward, 12 for the gradient.
// Exactness  binary64 in an order that depends on the number of values alone, rounded once.

#include "reduce.cuh"
#include "tessera/kernels/losses.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kValuesPerBlock = 4096;

__global__ void mean_squared_error_kernel(MeanSquaredError a, cuda::GridScratch scratch) {
  double sum = 0, total = 0;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < a.p.size;
       i += stride) {
    const double diff = double(a.p.data[i]) - double(a.t.data[i]);
    sum = fma(diff, diff, sum);
  }
  if (cuda::grid_sum<kThreads>(scratch, sum, total) && threadIdx.x == 0)
    a.loss.data[0] = a.p.size > 0 ? real(total / static_cast<double>(a.p.size)) : real(0);
}

__global__ void mean_squared_error_grad_kernel(MeanSquaredErrorGrad a) {
  const real factor = real(double(a.dloss.data[0]) * 2 / static_cast<double>(a.dp.size));
  cuda::for_elements(a.dp.size, [&](int64_t i) {
    const real diff = a.p.data[i] - a.t.data[i];
    a.dp.data[i] = a.beta == 0 ? factor * diff : fmaf(factor, diff, a.beta * a.dp.data[i]);
  });
}

}  // namespace

void mean_squared_error(CudaContext& context, const MeanSquaredError& a) {
  cuda::launch(context, "mean_squared_error", mean_squared_error_kernel,
               cuda::sum_blocks(a.p.size, kValuesPerBlock), kThreads, a, context.grid_scratch());
}
void mean_squared_error_grad(CudaContext& context, const MeanSquaredErrorGrad& a) {
  cuda::launch_elements(context, "mean_squared_error_grad", mean_squared_error_grad_kernel,
                        a.dp.size, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
