// Soft assignment of features to categories: contracts in tessera/kernels/category_assignment.h.
//
// Mapping    one warp per feature, 8 to a block; lane l has categories l, l + 32, ... of the family.
// Cost       D*K exponentials; with noise two logarithms in binary64 and a Philox evaluation each.
//            Less than a microsecond beside the launch for D*K up to some hundred thousand.
// Exactness  scores, differences and quotients as on the CPU; sums over a row in lanes, then the tree
//            of warp_sum.

#include "launch.cuh"
#include "reduce.cuh"
#include "tessera/kernels/category_assignment.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

using cuda::kFullWarp, cuda::kWarpSize;

constexpr int kWarps = CategoryFamily::kFeaturesPerTile, kThreads = kWarps * kWarpSize;

__device__ int32_t lane_of() { return static_cast<int32_t>(threadIdx.x) % kWarpSize; }

/// The row of this warp.
struct WarpFeature {
  CategoryFamily family;
  int64_t i;
  bool exists;
};
__device__ WarpFeature warp_feature(const Groups<CategoryFamily>& families) {
  const GroupTile at = find_tile(families, CategoryFamily::kByFeature, blockIdx.x);
  const CategoryFamily family = families[at.group];
  const int32_t local =
      at.tile * CategoryFamily::kFeaturesPerTile + static_cast<int32_t>(threadIdx.x) / kWarpSize;
  return {family, family.feature_begin + local, local < family.features};
}

/// The largest value of a row, and the first place that has it.
struct Largest {
  float value;
  int32_t at;
};
/// Over `count` values of which lane l reads l, l + 32, ...; the same in every lane.
template <class Value>
__device__ Largest warp_largest(int32_t count, Value value) {
  Largest best{-INFINITY, 0};
  for (int32_t k = lane_of(); k < count; k += kWarpSize)
    if (const float v = value(k); v > best.value) best = {v, k};
#pragma unroll
  for (int offset = kWarpSize / 2; offset > 0; offset /= 2) {
    const Largest other{__shfl_xor_sync(kFullWarp, best.value, offset),
                        __shfl_xor_sync(kFullWarp, best.at, offset)};
    if (other.value > best.value || (other.value == best.value && other.at < best.at)) best = other;
  }
  return best;
}

__global__ void category_assignment_kernel(CategoryAssignment a) {
  const WarpFeature me = warp_feature(a.families);
  if (!me.exists) return;  // whole warps; there is no barrier below
  const int32_t first = me.family.category_begin, count = me.family.categories;
  const real t = temperature_of(a);
  real* row = a.soft.data + me.i * a.soft.ld;
  real* soft = row + first;  // a lane reads back only what it wrote
  const Largest score = warp_largest(count, [&](int32_t k) {
    return soft[k] =
               a.logits.data[me.i * a.logits.ld + first + k] + assignment_noise(a, me.i, first + k);
  });
  real sum = 0;
  for (int32_t k = lane_of(); k < count; k += kWarpSize)
    sum += soft[k] = math::exp((soft[k] - score.value) / t);
  sum = cuda::warp_sum(sum);
  for (int32_t k = lane_of(); k < count; k += kWarpSize) soft[k] = share_of(soft[k] / sum);
  const auto outside = [&](int32_t k) { return k < first || k >= first + count; };
  for (int32_t k = lane_of(); k < a.soft.cols; k += kWarpSize)
    if (outside(k)) row[k] = 0;
  if (a.hard.data == nullptr) return;
  const int32_t best = first + warp_largest(count, [&](int32_t k) { return soft[k]; }).at;
  for (int32_t k = lane_of(); k < a.hard.cols; k += kWarpSize)
    a.hard.data[me.i * a.hard.ld + k] = k == best ? 1.0f : 0.0f;
}

__global__ void category_assignment_grad_kernel(CategoryAssignmentGrad a) {
  const WarpFeature me = warp_feature(a.families);
  if (!me.exists) return;  // whole warps; there is no barrier below
  const int32_t first = me.family.category_begin, count = me.family.categories;
  const real t = temperature_of(a);
  const real* soft = a.soft.data + me.i * a.soft.ld + first;
  const real* da = a.dassignment.data + me.i * a.dassignment.ld + first;
  const real base = da[warp_largest(count, [&](int32_t k) { return soft[k]; }).at];
  real mean = 0;
  for (int32_t k = lane_of(); k < count; k += kWarpSize) mean += soft[k] * (da[k] - base);
  mean = cuda::warp_sum(mean);
  for (int32_t c = lane_of(); c < a.dlogits.cols; c += kWarpSize) {
    const int32_t k = c - first;
    const real slope = k >= 0 && k < count ? soft[k] * (da[k] - base - mean) / t : 0.0f;
    real& out = a.dlogits.data[me.i * a.dlogits.ld + c];
    out = a.beta == 0 ? slope : a.beta * out + slope;
  }
}

}  // namespace

void category_assignment(CudaContext& context, const CategoryAssignment& a) {
  cuda::launch(context, "category_assignment", category_assignment_kernel,
               a.families.tiles[CategoryFamily::kByFeature], kThreads, a);
}

void category_assignment_grad(CudaContext& context, const CategoryAssignmentGrad& a) {
  cuda::launch(context, "category_assignment_grad", category_assignment_grad_kernel,
               a.families.tiles[CategoryFamily::kByFeature], kThreads, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
