// Values one by one, and column sums: contracts in tessera/kernels/elementwise.h.
//
// Mapping    256 threads x 4 values per block, neighbours in neighbouring threads; dropout gives
//            each thread 4 neighbours, which share one Philox evaluation. Column sums: reduce.cuh.
// Cost       HBM: each operand once. Bound by memory, except dropout (about 100 integer
//            instructions for 4 values) and column sums of few columns (8 columns per block).
// Exactness  one rounding per operation written, explicit fma where the CPU has one. Column sums:
//            binary64, 64 lanes of rows, each ascending, combined in a fixed order, rounded once.

#include "reduce.cuh"
#include "tessera/kernels/elementwise.h"
#include "tessera/kernels/philox.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

using cuda::ColumnBlock;
using cuda::for_elements;
using cuda::launch_elements;

__global__ void fill_kernel(Fill a) {
  for_elements(a.y.size, [&](int64_t i) { a.y.data[i] = a.value; });
}

__global__ void scale_add_kernel(ScaleAdd a) {
  for_elements(a.y.size, [&](int64_t i) {
    const real x = a.x.data[i];
    a.y.data[i] = a.beta == 0 ? a.alpha * x : fmaf(a.alpha, x, a.beta * a.y.data[i]);
  });
}

__global__ void column_sums_kernel(ColumnSums a) {
  const int64_t c = ColumnBlock::column();
  double lane_sum = 0;
  if (c < a.x.cols)
    for (int64_t n = ColumnBlock::row_lane(); n < a.x.rows; n += ColumnBlock::kRowLanes)
      lane_sum += double(a.x.data[n * a.x.ld + c]);
  const double sum = ColumnBlock::sum(lane_sum);
  if (c < a.x.cols && ColumnBlock::row_lane() == 0) {
    real& y = a.sums.data[c];
    y = real(a.beta == 0 ? sum : double(a.beta) * double(y) + sum);
  }
}

__global__ void dropout_kernel(Dropout a) {
  static_assert(cuda::kPerThread == 4);
  const int64_t thread = static_cast<int64_t>(blockIdx.x) * cuda::kElementThreads + threadIdx.x;
  const real scale = 1 / (1 - a.rate);
  // random_uniform of elements 4 * thread to 4 * thread + 3, which are one evaluation.
  const uint32_t counter[4] = {static_cast<uint32_t>(thread), static_cast<uint32_t>(thread >> 32),
                               static_cast<uint32_t>(a.state->step), a.stream};
  const Random4 random = philox(counter, a.state->seed);
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const int64_t i = 4 * thread + j;
    if (i >= a.y.size) break;
    const bool keep = static_cast<float>(random.word[j] >> 8) * 0x1p-24f >= a.rate;
    const real y = keep ? a.x.data[i] * scale : real(0);
    a.y.data[i] = a.beta == 0 ? y : a.beta * a.y.data[i] + y;
  }
}

}  // namespace

void fill(CudaContext& context, const Fill& a) {
  launch_elements(context, "fill", fill_kernel, a.y.size, a);
}
void scale_add(CudaContext& context, const ScaleAdd& a) {
  launch_elements(context, "scale_add", scale_add_kernel, a.y.size, a);
}
void column_sums(CudaContext& context, const ColumnSums& a) {
  cuda::launch(context, "column_sums", column_sums_kernel, ColumnBlock::blocks(a.x.cols),
               ColumnBlock::kThreads, a);
}
void dropout(CudaContext& context, const Dropout& a) {
  launch_elements(context, "dropout", dropout_kernel, a.y.size, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
