// Weights of partial reconstructions: contracts in tessera/kernels/partial_weights.h.
//
// Mapping    pieces of 256 features of a category over the threads.

#include "tessera/kernels/partial_weights.h"

#include <algorithm>

#include "cpu/cpu_context.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

/// Calls f(category, feature of its family) for all of them.
template <class F>
void for_features(CpuContext& context, const char* name, const Groups<PartialCategory>& categories,
                  F f) {
  context.parallel_for(name, categories.tiles[PartialCategory::kByFeature], [&](int64_t tile) {
    const GroupTile at =
        find_tile(categories, PartialCategory::kByFeature, static_cast<int32_t>(tile));
    const int32_t begin = at.tile * PartialCategory::kFeaturesPerTile,
                  end = std::min(categories[at.group].features,
                                 begin + PartialCategory::kFeaturesPerTile);
    for (int32_t i = begin; i < end; ++i) f(at.group, i);
  });
}

}  // namespace

void partial_weights(CpuContext& context, const PartialWeights& a) {
  for_features(context, "partial_weights", a.categories,
               [&](int32_t g, int32_t i) { weigh_feature(a, g, i); });
}

void partial_weights_grad(CpuContext& context, const PartialWeightsGrad& a) {
  for_features(context, "partial_weights_grad", a.categories,
               [&](int32_t g, int32_t i) { weigh_feature_grad(a, g, i); });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
