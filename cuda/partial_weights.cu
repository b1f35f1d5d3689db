// Weights of partial reconstructions: contracts in tessera/kernels/partial_weights.h.
//
// Mapping    one thread per feature and category, 256 features of one category per block.
// Cost       L values per thread, neighbours in neighbouring threads; A in columns, from L2.
// Exactness  as the CPU: the same bits.

#include "launch.cuh"
#include "tessera/kernels/partial_weights.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

constexpr int kThreads = PartialCategory::kFeaturesPerTile;

__global__ void partial_weights_kernel(PartialWeights a) {
  const GroupTile at = find_tile(a.categories, PartialCategory::kByFeature, blockIdx.x);
  const int32_t i = at.tile * kThreads + static_cast<int32_t>(threadIdx.x);
  if (i < a.categories[at.group].features) weigh_feature(a, at.group, i);
}

__global__ void partial_weights_grad_kernel(PartialWeightsGrad a) {
  const GroupTile at = find_tile(a.categories, PartialCategory::kByFeature, blockIdx.x);
  const int32_t i = at.tile * kThreads + static_cast<int32_t>(threadIdx.x);
  if (i < a.categories[at.group].features) weigh_feature_grad(a, at.group, i);
}

}  // namespace

void partial_weights(CudaContext& context, const PartialWeights& a) {
  cuda::launch(context, "partial_weights", partial_weights_kernel,
               a.categories.tiles[PartialCategory::kByFeature], kThreads, a);
}

void partial_weights_grad(CudaContext& context, const PartialWeightsGrad& a) {
  cuda::launch(context, "partial_weights_grad", partial_weights_grad_kernel,
               a.categories.tiles[PartialCategory::kByFeature], kThreads, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
