// Optimizer step and gradient norm: contracts in tessera/kernels/adam.h.
//
// Mapping    256 threads x 4 values per block; the norm's blocks stride over the gradients and the
//            one that finishes last adds their sums (reduce.cuh).
// Cost       HBM: 28 bytes per parameter for the step, 4 for the norm.
// Exactness  the CPU's operations one by one, so moments and values differ from it only where the
//            norm's last bit does. The norm: binary64, an order fixed by the number of values.

#include "reduce.cuh"
#include "tessera/kernels/adam.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kValuesPerBlock = 4096;

__global__ void square_sum_kernel(SquareSum a, cuda::GridScratch scratch) {
  double sum = 0, total = 0;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < a.x.size;
       i += stride) {
    const double x = double(a.x.data[i]);
    sum = fma(x, x, sum);
  }
  if (cuda::grid_sum<kThreads>(scratch, sum, total) && threadIdx.x == 0) a.sum.data[0] = total;
}

__device__ real clip_factor(const AdamStep& a) {
  const double limit = double(a.state->now.clip_norm[a.group]);
  if (!(limit > 0) || a.grad_square_sum.data == nullptr) return 1;
  const double norm = sqrt(a.grad_square_sum.data[0]);
  return norm > limit ? real(limit / norm) : real(1);
}

__global__ void adam_step_kernel(AdamStep a) {
  const ScheduleRow& now = a.state->now;
  const real clip = clip_factor(a), beta1 = now.beta1, beta2 = now.beta2;
  const real rate = now.learning_rate[a.group] / now.beta1_correction;
  const real scale2 = 1 / now.beta2_correction;
  cuda::for_elements(a.values.size, [&](int64_t i) {
    const real g = a.grads.data[i] * clip;
    const real m = fmaf(beta1, a.first_moment.data[i], (1 - beta1) * g);
    const real v = fmaf(beta2, a.second_moment.data[i], (1 - beta2) * g * g);
    a.first_moment.data[i] = m;
    a.second_moment.data[i] = v;
    a.values.data[i] -= rate * m / (sqrtf(v * scale2) + a.epsilon);
  });
}

}  // namespace

void square_sum(CudaContext& context, const SquareSum& a) {
  cuda::launch(context, "square_sum", square_sum_kernel,
               cuda::sum_blocks(a.x.size, kValuesPerBlock), kThreads, a, context.grid_scratch());
}
void adam_step(CudaContext& context, const AdamStep& a) {
  cuda::launch_elements(context, "adam_step", adam_step_kernel, a.values.size, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
