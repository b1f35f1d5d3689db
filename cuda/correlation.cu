// Correlation of columns: contract in tessera/kernels/correlation.h.
//
// Mapping    means: a block per 32 columns, a warp per lane of the sum. Products: a block per tile of
//            32 x 32 pairs on or above the diagonal and slice, 2 x 2 pairs per thread; 32 centred
//            rows at a time pass through shared memory. A launch per slice, so that slices are added
//            in their order without memory for them.
// Cost       N*D^2 flop in binary64. L2: each x is read by D / 32 blocks. Bound by binary64
//            multiply-adds where D fills the device (136 blocks at D = 500).
// Exactness  the contract's bits. Rows that a stage lacks are 0: they add nothing.

#include "launch.cuh"
#include "tessera/kernels/correlation.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

constexpr int kTile = 32, kSide = kTile / 2, kThreads = kSide * kSide;
constexpr int kLanes = static_cast<int>(Correlation::kLanes);
constexpr int kMeanThreads = kLanes * cuda::kWarpSize;

__global__ void correlation_means_kernel(Correlation a) {
  TESSERA_SHARED_ARRAY(double, lanes, [kLanes][cuda::kWarpSize]);
  const int lane = static_cast<int>(threadIdx.x) / cuda::kWarpSize;
  const int own = static_cast<int>(threadIdx.x) % cuda::kWarpSize;
  const int64_t column = static_cast<int64_t>(blockIdx.x) * cuda::kWarpSize + own;
  const bool column_exists = column < a.x.cols;
  double sum = 0;
  if (column_exists)
    for (int64_t n = lane; n < a.x.rows; n += kLanes) sum += double(a.x.data[n * a.x.ld + column]);
  lanes[lane][own] = sum;
  __syncthreads();  // every lane's sum is in place
  if (lane != 0 || !column_exists) return;
  double total = 0;
  for (int i = 0; i < kLanes; ++i) total += lanes[i][own];
  a.means.data[column] = total / static_cast<double>(a.x.rows);
}

/// Stages rows [begin, end) of the tile's columns, centred; 0 beyond both ends.
__device__ void stage(const Correlation& a, int64_t tile, int64_t begin, int64_t end,
                      double (&rows)[kTile][kTile]) {
  for (int i = static_cast<int>(threadIdx.x); i < kTile * kTile; i += kThreads) {
    const int64_t n = begin + i / kTile, column = tile * kTile + i % kTile;
    const bool exists = n < end && column < a.x.cols;
    rows[i / kTile][i % kTile] =
        exists ? double(a.x.data[n * a.x.ld + column]) - a.means.data[column] : 0.0;
  }
}

__global__ void correlation_products_kernel(Correlation a, int64_t slice) {
  TESSERA_SHARED_ARRAY(double, left, [kTile][kTile]);
  TESSERA_SHARED_ARRAY(double, right, [kTile][kTile]);
  const int64_t tiles = cuda::ceil_div<int64_t>(a.x.cols, kTile);
  int64_t p = 0, q = blockIdx.x;  // tiles (p, q), p <= q, counted row by row
  for (; q >= tiles - p; ++p) q -= tiles - p;
  q += p;
  const int y = static_cast<int>(threadIdx.x) / kSide, x = static_cast<int>(threadIdx.x) % kSide;
  const int64_t end = min(a.x.rows, (slice + 1) * Correlation::kSlice);
  double sum[2][2] = {};
  for (int64_t begin = slice * Correlation::kSlice; begin < end; begin += kTile) {
    __syncthreads();  // the last stage has been read
    stage(a, p, begin, end, left);
    stage(a, q, begin, end, right);
    __syncthreads();  // this stage is in place
    for (int n = 0; n < kTile; ++n)
#pragma unroll
      for (int i = 0; i < 2; ++i)
#pragma unroll
        for (int j = 0; j < 2; ++j)
          sum[i][j] = fma(left[n][y + i * kSide], right[n][x + j * kSide], sum[i][j]);
  }
#pragma unroll
  for (int i = 0; i < 2; ++i)
#pragma unroll
    for (int j = 0; j < 2; ++j) {
      const int64_t row = p * kTile + y + i * kSide, column = q * kTile + x + j * kSide;
      if (row >= a.x.cols || column >= a.x.cols) continue;
      double& total = a.r.data[row * a.r.ld + column];
      total = (slice == 0 ? 0.0 : total) + sum[i][j];
    }
}

__global__ void correlation_norms_kernel(Correlation a) {
  cuda::for_elements(a.x.cols, [&](int64_t i) {
    a.norms.data[i] = correlation_norm(a.r.data[i * (a.r.ld + 1)], a.means.data[i], a.x.rows);
  });
}

/// Sums above the diagonal become r on both sides of it.
__global__ void correlation_finish_kernel(Correlation a) {
  cuda::for_elements(a.x.cols * a.x.cols, [&](int64_t at) {
    const int64_t i = at / a.x.cols, j = at % a.x.cols;
    if (i > j) return;
    const double gi = a.norms.data[i], gj = a.norms.data[j];
    const double own = gi == gi ? 1.0 : gi;
    const double r = i == j ? own : correlation_of(a.r.data[i * a.r.ld + j], gi, gj);
    a.r.data[i * a.r.ld + j] = r;
    a.r.data[j * a.r.ld + i] = r;
  });
}

}  // namespace

void correlation(CudaContext& context, const Correlation& a) {
  const int64_t cols = a.x.cols, tiles = cuda::ceil_div<int64_t>(cols, kTile);
  cuda::launch(context, "correlation_means", correlation_means_kernel,
               cuda::ceil_div<int64_t>(cols, cuda::kWarpSize), kMeanThreads, a);
  const int64_t slices = cuda::ceil_div(a.x.rows, Correlation::kSlice);
  for (int64_t slice = 0; slice < slices; ++slice)
    cuda::launch(context, "correlation_products", correlation_products_kernel,
                 tiles * (tiles + 1) / 2, kThreads, a, slice);
  cuda::launch_elements(context, "correlation_norms", correlation_norms_kernel, cols, a);
  cuda::launch_elements(context, "correlation_finish", correlation_finish_kernel, cols * cols, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
