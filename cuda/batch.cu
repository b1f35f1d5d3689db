// Rows of a data set into a batch: contracts in tessera/kernels/batch.h.
//
// Mapping    one warp per row, 8 rows per block; neighbouring lanes copy neighbouring values. Every
//            lane computes the row number: one computing for 32 takes as long.
// Cost       HBM: 1 or 4 bytes in and 4 out per value; about 300 integer instructions per row.

#include "launch.cuh"
#include "tessera/kernels/batch.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

constexpr int kRowsPerBlock = 8;
constexpr int kThreads = kRowsPerBlock * cuda::kWarpSize;

__device__ int64_t batch_row() {
  return static_cast<int64_t>(blockIdx.x) * kRowsPerBlock + threadIdx.x / cuda::kWarpSize;
}

__device__ void copy_row(const RowSource& source, int64_t row, real* y) {
  for (int64_t f = threadIdx.x % cuda::kWarpSize; f < source.cols; f += cuda::kWarpSize)
    y[f] = value_at(source, row * source.cols + f);
}

__global__ void load_batch_kernel(LoadBatch a) {
  const int64_t b = batch_row();
  if (b < a.batch.rows) copy_row(a.source, shuffled_row(a, b), a.batch.data + b * a.batch.ld);
}

__global__ void gather_rows_kernel(GatherRows a) {
  const int64_t b = batch_row();
  if (b >= a.batch.rows) return;
  copy_row(a.source, a.subset.data ? a.subset.data[a.first + b] : a.first + b,
           a.batch.data + b * a.batch.ld);
}

}  // namespace

void load_batch(CudaContext& context, const LoadBatch& a) {
  cuda::launch(context, "load_batch", load_batch_kernel,
               cuda::ceil_div<int64_t>(a.batch.rows, kRowsPerBlock), kThreads, a);
}
void gather_rows(CudaContext& context, const GatherRows& a) {
  cuda::launch(context, "gather_rows", gather_rows_kernel,
               cuda::ceil_div<int64_t>(a.batch.rows, kRowsPerBlock), kThreads, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
