#pragma once

// The product of two operands for one tile of 64 x 64 results by one block: 4 x 4 results per thread,
// both operands passing through shared memory 16 steps of the sum at a time. While the block multiplies
// one slice it reads the next: two slices in shared memory, one barrier each. Plain float32, bound by
// shared memory (2 float4 loads for 16 multiply-adds).

#include "launch.cuh"

namespace tessera::cuda {

constexpr int kTile = 64, kTileSteps = 16, kTilePerThread = 4;
constexpr int kTilePitch = kTile + 4;  // a multiple of 4: float4 loads; not of 32: spreads banks
constexpr int kTileSide = kTile / kTilePerThread;
constexpr int kTileThreads = kTileSide * kTileSide;

using TileSums = float[kTilePerThread][kTilePerThread];
using TileSlice = float[kTileSteps][kTilePitch];

/// Where this thread's 4 x 4 results lie in the tile.
__device__ inline int tile_row() {
  return static_cast<int>(threadIdx.x) / kTileSide * kTilePerThread;
}
__device__ inline int tile_column() {
  return static_cast<int>(threadIdx.x) % kTileSide * kTilePerThread;
}

/// Which of an operand's indices neighbouring threads read it along: the one that is contiguous in memory.
enum class Along { Steps, Tile };

/// Element `n` of a slice that this thread brings: its step, and its row or column of the tile.
template <Along kAlong>
__device__ int slice_step(int n) {
  const int t = static_cast<int>(threadIdx.x);
  return kAlong == Along::Steps ? t % kTileSteps : t / kTile + n * (kTileThreads / kTile);
}
template <Along kAlong>
__device__ int slice_place(int n) {
  const int t = static_cast<int>(threadIdx.x);
  return kAlong == Along::Steps ? t / kTileSteps + n * (kTileThreads / kTileSteps) : t % kTile;
}

/// Adds the products of `steps` steps of two slices.
__device__ inline void add_slice(const TileSlice& left, const TileSlice& right, int steps,
                                 TileSums& sum) {
  for (int k = 0; k < steps; ++k) {
    const float4 l = *reinterpret_cast<const float4*>(&left[k][tile_row()]);
    const float4 r = *reinterpret_cast<const float4*>(&right[k][tile_column()]);
    const float a[] = {l.x, l.y, l.z, l.w}, b[] = {r.x, r.y, r.z, r.w};
#pragma unroll
    for (int i = 0; i < kTilePerThread; ++i)
#pragma unroll
      for (int j = 0; j < kTilePerThread; ++j) sum[i][j] = fmaf(a[i], b[j], sum[i][j]);
  }
}

/// Adds sum_k left(r, k) right(k, c), k ascending from 0 to `count` in one chain of fused multiply-adds,
/// to the tile's results. left(r, k) and right(c, k) give 0 beyond their ends, 0 <= r, c < kTile. All
/// threads of the block call it; what they wrote to shared memory before, the operands may read.
template <Along kLeft, Along kRight, class Left, class Right>
__device__ void add_products(int64_t count, Left left, Right right, TileSums& sum) {
  TESSERA_SHARED_ARRAY(float, left_slices, [2][kTileSteps][kTilePitch]);
  TESSERA_SHARED_ARRAY(float, right_slices, [2][kTileSteps][kTilePitch]);
  constexpr int kEach = kTile * kTileSteps / kTileThreads;
  float lefts[kEach], rights[kEach];
  const auto read = [&](int64_t begin) {
#pragma unroll
    for (int n = 0; n < kEach; ++n) {
      lefts[n] = left(slice_place<kLeft>(n), begin + slice_step<kLeft>(n));
      rights[n] = right(slice_place<kRight>(n), begin + slice_step<kRight>(n));
    }
  };
  const auto write = [&](int slice) {
#pragma unroll
    for (int n = 0; n < kEach; ++n) {
      left_slices[slice][slice_step<kLeft>(n)][slice_place<kLeft>(n)] = lefts[n];
      right_slices[slice][slice_step<kRight>(n)][slice_place<kRight>(n)] = rights[n];
    }
  };
  __syncthreads();  // the slices of an earlier call are consumed; what the operands read is in place
  if (count > 0) {
    read(0);
    write(0);
  }
  int now = 0;
  for (int64_t begin = 0; begin < count; begin += kTileSteps, now ^= 1) {
    __syncthreads();  // this slice is complete, the one before it consumed
    const bool more = begin + kTileSteps < count;
    if (more) read(begin + kTileSteps);
    add_slice(left_slices[now], right_slices[now],
              static_cast<int>(min(int64_t{kTileSteps}, count - begin)), sum);
    if (more) write(now ^ 1);
  }
}

/// Calls f(row, column, value) for this thread's results inside [rows, columns] of the tile.
template <class F>
__device__ void for_results(int64_t rows, int64_t columns, TileSums& sum, F f) {
#pragma unroll
  for (int i = 0; i < kTilePerThread; ++i)
#pragma unroll
    for (int j = 0; j < kTilePerThread; ++j)
      if (tile_row() + i < rows && tile_column() + j < columns)
        f(tile_row() + i, tile_column() + j, sum[i][j]);
}

}  // namespace tessera::cuda
