#pragma once

// Sums over a warp, a block, the grid, and over the rows of columns. Orders are fixed by the shape
// of the launch, so results repeat bit for bit.

#include "launch.cuh"

namespace tessera::cuda {

/// Sum over the warp, the same bits in every lane. All lanes call it.
template <class T>
__device__ T warp_sum(T value) {
#pragma unroll
  for (int offset = kWarpSize / 2; offset > 0; offset /= 2)
    value += __shfl_xor_sync(kFullWarp, value, offset);
  return value;
}

/// Sum over a block of kThreads, the same bits in every thread. All threads call it.
template <int kThreads>
__device__ double block_sum(double value) {
  constexpr int kWarps = kThreads / kWarpSize;
  TESSERA_SHARED_ARRAY(double, partial, [kWarps]);
  value = warp_sum(value);
  __syncthreads();  // readers of an earlier call are done
  if (threadIdx.x % kWarpSize == 0) partial[threadIdx.x / kWarpSize] = value;
  __syncthreads();  // every warp's sum is in place
  double sum = 0;
#pragma unroll
  for (int warp = 0; warp < kWarps; ++warp) sum += partial[warp];
  return sum;
}

/// Sum over the grid: true, and the sum in every thread, in the block that finishes last.
/// The grid has at most GridScratch::kBlocks blocks of kThreads; all threads call it once.
template <int kThreads>
__device__ bool grid_sum(const GridScratch& scratch, double value, double& total) {
  TESSERA_SHARED_ARRAY(int, is_last, [1]);
  const double sum = block_sum<kThreads>(value);
  if (threadIdx.x == 0) {
    scratch.partials[blockIdx.x] = sum;
    __threadfence();  // whoever sees the count sees the partial
    is_last[0] = atomicAdd(scratch.finished, 1u) == gridDim.x - 1;
  }
  __syncthreads();  // thread 0 has decided
  if (!is_last[0]) return false;
  __threadfence();  // the partials are read after the count
  const volatile double* partials = scratch.partials;
  double mine = 0;
  for (unsigned block = threadIdx.x; block < gridDim.x; block += kThreads) mine += partials[block];
  total = block_sum<kThreads>(mine);
  if (threadIdx.x == 0) *scratch.finished = 0;
  return true;
}

/// Blocks for a grid_sum over `count` values.
inline int64_t sum_blocks(int64_t count, int64_t values_per_block) {
  const int64_t blocks = ceil_div(count, values_per_block);
  return blocks < 1 ? 1 : (blocks < GridScratch::kBlocks ? blocks : GridScratch::kBlocks);
}

/// Work on whole columns of a row-major matrix: a block has kColumns neighbouring ones (one 32-byte
/// sector per row), each read by kRowLanes threads, lane l taking rows l, l + kRowLanes, ...
struct ColumnBlock {
  static constexpr int kColumns = 8, kRowLanes = 64, kThreads = kColumns * kRowLanes;

  static int64_t blocks(int64_t columns) { return ceil_div<int64_t>(columns, kColumns); }
  static __device__ int64_t column() {
    return static_cast<int64_t>(blockIdx.x) * kColumns + threadIdx.x % kColumns;
  }
  static __device__ int row_lane() { return threadIdx.x / kColumns; }

  /// Sum over the lanes of each column, the same bits in all of them. All threads call it.
  static __device__ double sum(double value) {
    constexpr int kWarps = kThreads / kWarpSize;
    TESSERA_SHARED_ARRAY(double, partial, [kWarps][kColumns]);
    value += __shfl_xor_sync(kFullWarp, value, 16);
    value += __shfl_xor_sync(kFullWarp, value, 8);
    __syncthreads();  // readers of an earlier call are done
    if (threadIdx.x % kWarpSize < kColumns)
      partial[threadIdx.x / kWarpSize][threadIdx.x % kColumns] = value;
    __syncthreads();  // every warp's sums are in place
    double total = 0;
#pragma unroll
    for (int warp = 0; warp < kWarps; ++warp) total += partial[warp][threadIdx.x % kColumns];
    return total;
  }
};

}  // namespace tessera::cuda
