// The assignment folded into the first layer: contracts in tessera/kernels/routing_fold.h.
//
// Mapping    fold: 256 threads x 4 elements of one category's W' per block. Gradient: a block has 8
//            neighbouring inputs of one category, 64 threads to each, lane l with rows l, l + 64, ...
// Cost       HBM: W once and W' once forward; W, dW', dW backward. Bound by memory.
// Exactness  products as on the CPU; sums over h in binary64, 64 lanes combined in a fixed order.

#include "launch.cuh"
#include "reduce.cuh"
#include "tessera/kernels/routing_fold.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

using cuda::ColumnBlock;

static_assert(RoutedCategory::kElementsPerTile == cuda::kElementsPerBlock);
static_assert(RoutedCategory::kInputsPerTile == ColumnBlock::kColumns);

__global__ void routing_fold_kernel(RoutingFold a) {
  const GroupTile at = find_tile(a.categories, RoutedCategory::kByElement, blockIdx.x);
  const RoutedCategory one = a.categories[at.group];
  const int64_t count = int64_t{one.in} * one.out,
                first = int64_t{at.tile} * RoutedCategory::kElementsPerTile + threadIdx.x;
#pragma unroll
  for (int part = 0; part < cuda::kPerThread; ++part) {
    const int64_t element = first + part * cuda::kElementThreads;
    if (element >= count) break;
    const int64_t h = element / one.in;
    const int32_t f = routed_feature(one, a.features, static_cast<int32_t>(element - h * one.in));
    const int64_t from = one.weight_begin + h * one.family_features + (f - one.feature_begin);
    a.folded.data[one.folded_begin + element] =
        a.assignment.data[int64_t{f} * a.assignment.ld + one.category] * a.weights.data[from];
  }
}

__global__ void routing_fold_grad_kernel(RoutingFoldGrad a) {
  const GroupTile at = find_tile(a.categories, RoutedCategory::kByInput, blockIdx.x);
  const RoutedCategory one = a.categories[at.group];
  const int32_t j =
      at.tile * ColumnBlock::kColumns + static_cast<int32_t>(threadIdx.x) % ColumnBlock::kColumns;
  const bool exists = j < one.in;  // no early exit: all meet the barriers
  const int64_t f = exists ? routed_feature(one, a.features, j) : one.feature_begin;
  double part = 0;
  if (exists) {
    const float share = a.assignment.data[f * a.assignment.ld + one.category];
    for (int64_t h = ColumnBlock::row_lane(); h < one.out; h += ColumnBlock::kRowLanes) {
      const int64_t at_weight =
          one.weight_begin + h * one.family_features + (f - one.feature_begin);
      const float df = a.dfolded.data[one.folded_begin + h * one.in + j];
      part = fma(double(a.weights.data[at_weight]), double(df), part);
      if (a.dweights.data == nullptr) continue;
      float& dw = a.dweights.data[at_weight];
      dw = a.beta_w == 0 ? share * df : fmaf(share, df, dw);
    }
  }
  const double sum = ColumnBlock::sum(part);
  if (!exists || ColumnBlock::row_lane() != 0 || a.dassignment.data == nullptr) return;
  float& out = a.dassignment.data[f * a.dassignment.ld + one.category];
  out = real(a.beta_a == 0 ? sum : double(out) + sum);
}

}  // namespace

void routing_fold(CudaContext& context, const RoutingFold& a) {
  cuda::launch(context, "routing_fold", routing_fold_kernel,
               a.categories.tiles[RoutedCategory::kByElement], cuda::kElementThreads, a);
}

void routing_fold_grad(CudaContext& context, const RoutingFoldGrad& a) {
  cuda::launch(context, "routing_fold_grad", routing_fold_grad_kernel,
               a.categories.tiles[RoutedCategory::kByInput], ColumnBlock::kThreads, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
