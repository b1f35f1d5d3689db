// Linear layers of many groups: contracts in tessera/kernels/grouped_linear.h.
//
// Mapping    blocks = tiles of 64 x 64 results, of all groups; tile_product.cuh says how.
// Cost       2*N*sum(I_g*O_g) flop in plain float32, bound by shared memory. L2: (operand rows / 64)
//            times the other operand.
// Exactness  one chain of fused multiply-adds for each result, as the CPU's: the same bits.

#include "tessera/kernels/grouped_linear.h"
#include "tile_product.cuh"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

using cuda::add_products;
using cuda::Along;
using cuda::for_results;
using cuda::kTile;
using cuda::kTileThreads;
using cuda::TileSums;
static_assert(LinearGroup::kTile == kTile);

__global__ void grouped_linear_kernel(GroupedLinear a) {
  const int32_t tiles = a.groups.tiles[LinearGroup::kByOutput];
  const GroupTile at = find_tile(a.groups, LinearGroup::kByOutput, blockIdx.x % tiles);
  const LinearGroup group = a.groups[at.group];
  const int64_t first_row = static_cast<int64_t>(blockIdx.x / tiles) * kTile;
  const int64_t rows = a.x.rows - first_row;
  const int32_t first_out = at.tile * kTile, outs = group.out - first_out;
  const float* x = a.x.data + first_row * a.x.ld + group.in_begin;
  const float* w = a.weights.data + group.weight_begin + int64_t{first_out} * group.in;
  TileSums sum = {};
  if (a.bias.data != nullptr)
    for_results(rows, outs, sum, [&](int, int c, float& value) {
      value = a.bias.data[group.out_begin + first_out + c];
    });
  add_products<Along::Steps, Along::Steps>(
      group.in,
      [&](int r, int64_t k) { return r < rows && k < group.in ? x[r * a.x.ld + k] : 0.0f; },
      [&](int c, int64_t k) {
        return c < outs && k < group.in ? w[int64_t{c} * group.in + k] : 0.0f;
      },
      sum);
  float* y = a.y.data + first_row * a.y.ld + group.out_begin + first_out;
  for_results(rows, outs, sum, [&](int r, int c, float value) { y[r * a.y.ld + c] = value; });
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
  TileSums sum = {};
  if (a.beta != 0)
    for_results(rows, ins, sum, [&](int r, int c, float& value) { value = dx[r * a.dx.ld + c]; });
  add_products<Along::Steps, Along::Tile>(
      group.out,
      [&](int r, int64_t k) { return r < rows && k < group.out ? dy[r * a.dy.ld + k] : 0.0f; },
      [&](int c, int64_t k) { return c < ins && k < group.out ? w[k * group.in + c] : 0.0f; }, sum);
  for_results(rows, ins, sum, [&](int r, int c, float value) { dx[r * a.dx.ld + c] = value; });
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
  TileSums sum = {};
  if (a.beta != 0)
    for_results(outs, ins, sum,
                [&](int r, int c, float& value) { value = dw[int64_t{r} * group.in + c]; });
  add_products<Along::Tile, Along::Tile>(
      a.x.rows,
      [&](int r, int64_t n) { return r < outs && n < a.x.rows ? dy[n * a.dy.ld + r] : 0.0f; },
      [&](int c, int64_t n) { return c < ins && n < a.x.rows ? x[n * a.x.ld + c] : 0.0f; }, sum);
  for_results(outs, ins, sum,
              [&](int r, int c, float value) { dw[int64_t{r} * group.in + c] = value; });
}

}  // namespace

void grouped_linear(CudaContext& context, const GroupedLinear& a) {
  cuda::launch(context, "grouped_linear", grouped_linear_kernel,
               cuda::ceil_div<int64_t>(a.x.rows, kTile) * a.groups.tiles[LinearGroup::kByOutput],
               kTileThreads, a);
}
void grouped_linear_input_grad(CudaContext& context, const GroupedLinearInputGrad& a) {
  cuda::launch(context, "grouped_linear_input_grad", grouped_linear_input_grad_kernel,
               cuda::ceil_div<int64_t>(a.dy.rows, kTile) * a.groups.tiles[LinearGroup::kByInput],
               kTileThreads, a);
}
void grouped_linear_weight_grad(CudaContext& context, const GroupedLinearWeightGrad& a) {
  cuda::launch(context, "grouped_linear_weight_grad", grouped_linear_weight_grad_kernel,
               a.groups.tiles[LinearGroup::kByWeight], kTileThreads, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
