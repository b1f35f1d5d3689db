// Cosines between categories: contracts in tessera/kernels/category_cosines.h.
//
// Mapping    loss: one block of 256 threads over the K*K pairs. Coefficients: a warp per row.
// Cost       K*K square roots in binary64: bound by the launch for tens of categories.
// Exactness  binary64, in an order fixed by K.

#include "launch.cuh"
#include "reduce.cuh"
#include "tessera/kernels/category_cosines.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

using cuda::kWarpSize;

constexpr int kThreads = 256, kWarps = kThreads / kWarpSize;

__global__ void category_cosines_kernel(CategoryCosines a) {
  const int64_t count = a.products.rows;
  double part = 0;
  for (int64_t e = threadIdx.x; e < count * count; e += kThreads)
    if (e / count < e % count) part += fabs(cosine_at(a.products, e / count, e % count));
  const double sum = cuda::block_sum<kThreads>(part);
  if (threadIdx.x == 0) a.loss.data[0] = real(pair_weight(count) * sum);
}

__global__ void category_cosines_grad_kernel(CategoryCosinesGrad a) {
  const int64_t count = a.products.rows, k = int64_t{blockIdx.x} * kWarps + threadIdx.x / kWarpSize;
  if (k >= count) return;  // whole warps; there is no barrier below
  const double scale = double(a.dloss.data[0]) * pair_weight(count);
  real* row = a.coefficients.data + k * a.coefficients.ld;
  const int64_t lane = static_cast<int>(threadIdx.x) % kWarpSize;
  double part = 0;
  for (int64_t j = lane; j < count; j += kWarpSize) {
    if (j == k) continue;
    const double cosine = cosine_at(a.products, k, j);
    part += fabs(cosine);
    row[j] = real(scale * ((cosine > 0) - (cosine < 0)) * inverse_norms(a.products, k, j));
  }
  const double sum = cuda::warp_sum(part);
  if (lane == 0) row[k] = real(-scale * sum * inverse_norms(a.products, k, k));
}

}  // namespace

void category_cosines(CudaContext& context, const CategoryCosines& a) {
  cuda::launch(context, "category_cosines", category_cosines_kernel, 1, kThreads, a);
}

void category_cosines_grad(CudaContext& context, const CategoryCosinesGrad& a) {
  cuda::launch(context, "category_cosines_grad", category_cosines_grad_kernel,
               cuda::ceil_div<int64_t>(a.products.rows, kWarps), kThreads, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
