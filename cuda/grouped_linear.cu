// Linear layers of many groups: contracts in tessera/kernels/grouped_linear.h.
//
// Mapping    blocks = tiles of 64 x 64 results, of all groups; 256 threads with 4 x 4 results each,
//            both operands passing through shared memory 16 steps of the sum at a time.
// Cost       2*N*sum(I_g*O_g) flop in plain float32, bound by shared memory (2 float4 loads for 16
//            multiply-adds). L2: (operand rows / 64) times the other operand.
// Exactness  one chain of fused multiply-adds for each result, as the CPU's: the same bits.

#include "launch.cuh"
#include "tessera/kernels/grouped_linear.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

constexpr int kTile = LinearGroup::kTile, kSteps = 16, kPerThread = 4;
constexpr int kPitch = kTile + 4;  // a multiple of 4: float4 loads; not of 32: spreads banks
constexpr int kSide = kTile / kPerThread;
constexpr int kThreads = kSide * kSide;

/// Where this thread's 4 x 4 results lie in the tile.
__device__ int tile_row() { return static_cast<int>(threadIdx.x) / kSide * kPerThread; }
__device__ int tile_column() { return static_cast<int>(threadIdx.x) % kSide * kPerThread; }

/// Adds sum_k left(r, k) right(k, c), k ascending from 0 to `count`, to the tile's results. `left`
/// and `right` give 0 beyond their ends. All threads of the block call it.
template <class Left, class Right>
__device__ void add_products(int64_t count, Left left, Right right,
                             float (&sum)[kPerThread][kPerThread]) {
  TESSERA_SHARED_ARRAY(float, left_tile, [kSteps][kPitch]);
  TESSERA_SHARED_ARRAY(float, right_tile, [kSteps][kPitch]);
  for (int64_t begin = 0; begin < count; begin += kSteps) {
    __syncthreads();  // the tiles of the round before are consumed
    for (int i = threadIdx.x; i < kTile * kSteps; i += kThreads) {
      // Neighbouring threads read neighbouring values: steps on the left are contiguous in x and W
      // where `left` says so; the compiler sees both.
      left_tile[i % kSteps][i / kSteps] = left(i / kSteps, begin + i % kSteps);
      right_tile[i / kTile][i % kTile] = right(begin + i / kTile, i % kTile);
    }
    __syncthreads();  // both tiles are complete
    const int steps = static_cast<int>(min(int64_t{kSteps}, count - begin));
    for (int k = 0; k < steps; ++k) {
      const float4 l = *reinterpret_cast<const float4*>(&left_tile[k][tile_row()]);
      const float4 r = *reinterpret_cast<const float4*>(&right_tile[k][tile_column()]);
      const float a[] = {l.x, l.y, l.z, l.w}, b[] = {r.x, r.y, r.z, r.w};
#pragma unroll
      for (int i = 0; i < kPerThread; ++i)
#pragma unroll
        for (int j = 0; j < kPerThread; ++j) sum[i][j] = fmaf(a[i], b[j], sum[i][j]);
    }
  }
}

/// Calls f(row, column, i, j) for this thread's results inside [rows, columns].
template <class F>
__device__ void for_results(int64_t rows, int64_t columns, F f) {
#pragma unroll
  for (int i = 0; i < kPerThread; ++i)
#pragma unroll
    for (int j = 0; j < kPerThread; ++j)
      if (tile_row() + i < rows && tile_column() + j < columns)
        f(tile_row() + i, tile_column() + j, i, j);
}

__global__ void grouped_linear_kernel(GroupedLinear a) {
  const int32_t tiles = a.groups.tiles[LinearGroup::kByOutput];
  const GroupTile at = find_tile(a.groups, LinearGroup::kByOutput, blockIdx.x % tiles);
  const LinearGroup group = a.groups[at.group];
  const int64_t first_row = static_cast<int64_t>(blockIdx.x / tiles) * kTile;
  const int64_t rows = a.x.rows - first_row;
  const int32_t first_out = at.tile * kTile, outs = group.out - first_out;
  const float* x = a.x.data + first_row * a.x.ld + group.in_begin;
  const float* w = a.weights.data + group.weight_begin + int64_t{first_out} * group.in;
  float sum[kPerThread][kPerThread] = {};
  if (a.bias.data != nullptr)
    for_results(rows, outs, [&](int, int c, int i, int j) {
      sum[i][j] = a.bias.data[group.out_begin + first_out + c];
    });
  add_products(
      group.in,
      [&](int r, int64_t k) { return r < rows && k < group.in ? x[r * a.x.ld + k] : 0.0f; },
      [&](int64_t k, int c) {
        return c < outs && k < group.in ? w[int64_t{c} * group.in + k] : 0.0f;
      },
      sum);
  float* y = a.y.data + first_row * a.y.ld + group.out_begin + first_out;
  for_results(rows, outs, [&](int r, int c, int i, int j) { y[r * a.y.ld + c] = sum[i][j]; });
}

__global__ void grouped_linear_input_grad_kernel(GroupedLinearInputGrad a) {
  const int32_t tiles = a.groups.tiles[LinearGroup::kByInput];
  const GroupTile at = find_tile(a.groups, LinearGroup::kByInput, blockIdx.x % tiles);
  const LinearGroup group = a.groups[at.group];
  const int64_t first_row = static_cast<int64_t>(blockIdx.x / tiles) * kTile;
  const int64_t rows = a.dy.rows - first_row;
  const int32_t first_in = at.tile * kTile, ins = group.in - first_in;
  const float* dy = a.dy.data + first_row * a.dy.ld + group.out_begin;
  const float* w = a.weights.data + group.weight_begin + first_in;
  float* dx = a.dx.data + first_row * a.dx.ld + group.in_begin + first_in;
  float sum[kPerThread][kPerThread] = {};
  if (a.beta != 0)
    for_results(rows, ins, [&](int r, int c, int i, int j) { sum[i][j] = dx[r * a.dx.ld + c]; });
  add_products(
      group.out,
      [&](int r, int64_t k) { return r < rows && k < group.out ? dy[r * a.dy.ld + k] : 0.0f; },
      [&](int64_t k, int c) { return c < ins && k < group.out ? w[k * group.in + c] : 0.0f; }, sum);
  for_results(rows, ins, [&](int r, int c, int i, int j) { dx[r * a.dx.ld + c] = sum[i][j]; });
}

__global__ void grouped_linear_weight_grad_kernel(GroupedLinearWeightGrad a) {
  const GroupTile at = find_tile(a.groups, LinearGroup::kByWeight, blockIdx.x);
  const LinearGroup group = a.groups[at.group];
  const int32_t across = (group.in + kTile - 1) / kTile;
  const int32_t first_out = at.tile / across * kTile, first_in = at.tile % across * kTile;
  const int32_t outs = group.out - first_out, ins = group.in - first_in;
  const float* dy = a.dy.data + group.out_begin + first_out;
  const float* x = a.x.data + group.in_begin + first_in;
  float* dw = a.dweights.data + group.weight_begin + int64_t{first_out} * group.in + first_in;
  float sum[kPerThread][kPerThread] = {};
  if (a.beta != 0)
    for_results(outs, ins,
                [&](int r, int c, int i, int j) { sum[i][j] = dw[int64_t{r} * group.in + c]; });
  add_products(
      a.x.rows,
      [&](int r, int64_t n) { return r < outs && n < a.x.rows ? dy[n * a.dy.ld + r] : 0.0f; },
      [&](int64_t n, int c) { return c < ins && n < a.x.rows ? x[n * a.x.ld + c] : 0.0f; }, sum);
  for_results(outs, ins,
              [&](int r, int c, int i, int j) { dw[int64_t{r} * group.in + c] = sum[i][j]; });
}

}  // namespace

void grouped_linear(CudaContext& context, const GroupedLinear& a) {
  cuda::launch(context, "grouped_linear", grouped_linear_kernel,
               cuda::ceil_div<int64_t>(a.x.rows, kTile) * a.groups.tiles[LinearGroup::kByOutput],
               kThreads, a);
}
void grouped_linear_input_grad(CudaContext& context, const GroupedLinearInputGrad& a) {
  cuda::launch(context, "grouped_linear_input_grad", grouped_linear_input_grad_kernel,
               cuda::ceil_div<int64_t>(a.dy.rows, kTile) * a.groups.tiles[LinearGroup::kByInput],
               kThreads, a);
}
void grouped_linear_weight_grad(CudaContext& context, const GroupedLinearWeightGrad& a) {
  cuda::launch(context, "grouped_linear_weight_grad", grouped_linear_weight_grad_kernel,
               a.groups.tiles[LinearGroup::kByWeight], kThreads, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
