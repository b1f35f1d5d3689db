// Layer norm of groups of columns: contracts in tessera/kernels/grouped_normalize.h.
//
// Mapping    rows: one warp per row and group. Parameters: blocks of up to 8 columns of one group, 64
//            threads to a column (ColumnBlock in reduce.cuh).
// Cost       x three times from L1, HBM once, y once.
// Exactness  as layer norm of whole rows, group by group.

#include "launch.cuh"
#include "layer_norm.cuh"
#include "reduce.cuh"
#include "tessera/kernels/grouped_normalize.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

using cuda::ColumnBlock;

constexpr int kWarps = 8, kThreads = kWarps * cuda::kWarpSize;
static_assert(ColumnGroup::kColumnsPerTile == ColumnBlock::kColumns);

/// The row and group of this warp, in a grid of rows x groups.
struct WarpGroup {
  int64_t n;
  int32_t g;
};
__device__ WarpGroup warp_group(int32_t groups) {
  const int64_t warp = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / cuda::kWarpSize;
  return {warp / groups, static_cast<int32_t>(warp % groups)};
}

__global__ void grouped_layer_norm_kernel(GroupedLayerNorm a) {
  const auto [n, g] = warp_group(a.groups.count);
  if (n >= a.x.rows) return;  // whole warps; there is no barrier below
  const int32_t first = a.groups[g].begin;
  cuda::normalize_row(a.x.data + n * a.x.ld + first, a.groups[g].cols, a.gain.data + first,
                      a.shift.data + first, a.epsilon, a.y.data + n * a.y.ld + first,
                      a.mean.data + n * a.mean.ld + g, a.rstd.data + n * a.rstd.ld + g);
}

__global__ void grouped_layer_norm_grad_kernel(GroupedLayerNormGrad a) {
  const auto [n, g] = warp_group(a.groups.count);
  if (n >= a.x.rows) return;  // whole warps; there is no barrier below
  const int32_t first = a.groups[g].begin;
  cuda::normalize_row_grad(a.x.data + n * a.x.ld + first, a.dy.data + n * a.dy.ld + first,
                           a.groups[g].cols, a.gain.data + first, a.mean.data[n * a.mean.ld + g],
                           a.rstd.data[n * a.rstd.ld + g], a.beta_x,
                           a.dx.data + n * a.dx.ld + first);
}

__global__ void grouped_layer_norm_parameters_kernel(GroupedLayerNormGrad a) {
  const GroupTile at = find_tile(a.groups, ColumnGroup::kByColumns, blockIdx.x);
  const ColumnGroup group = a.groups[at.group];
  const int32_t local =
      at.tile * ColumnBlock::kColumns + static_cast<int32_t>(threadIdx.x) % ColumnBlock::kColumns;
  const bool exists = local < group.cols;  // no early exit: all meet the barriers
  const int64_t c = group.begin + local;
  double dgain = 0, dshift = 0;
  if (exists)
    for (int64_t n = ColumnBlock::row_lane(); n < a.x.rows; n += ColumnBlock::kRowLanes) {
      const double dy = double(a.dy.data[n * a.dy.ld + c]);
      const double xhat =
          (double(a.x.data[n * a.x.ld + c]) - double(a.mean.data[n * a.mean.ld + at.group])) *
          double(a.rstd.data[n * a.rstd.ld + at.group]);
      dshift += dy;
      dgain = fma(dy, xhat, dgain);
    }
  dgain = ColumnBlock::sum(dgain);
  dshift = ColumnBlock::sum(dshift);
  if (!exists || ColumnBlock::row_lane() != 0) return;
  const auto store = [&](const VectorView<real>& out, double sum) {
    if (out.data != nullptr)
      out.data[c] = real(a.beta_p == 0 ? sum : double(a.beta_p) * double(out.data[c]) + sum);
  };
  store(a.dgain, dgain);
  store(a.dshift, dshift);
}

}  // namespace

void grouped_layer_norm(CudaContext& context, const GroupedLayerNorm& a) {
  cuda::launch(context, "grouped_layer_norm", grouped_layer_norm_kernel,
               cuda::ceil_div<int64_t>(a.x.rows * a.groups.count, kWarps), kThreads, a);
}

void grouped_layer_norm_grad(CudaContext& context, const GroupedLayerNormGrad& a) {
  if (a.dx.data != nullptr)
    cuda::launch(context, "grouped_layer_norm_grad", grouped_layer_norm_grad_kernel,
                 cuda::ceil_div<int64_t>(a.x.rows * a.groups.count, kWarps), kThreads, a);
  if (a.dgain.data != nullptr || a.dshift.data != nullptr)
    cuda::launch(context, "grouped_layer_norm_parameters", grouped_layer_norm_parameters_kernel,
                 a.groups.tiles[ColumnGroup::kByColumns], ColumnBlock::kThreads, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
