#pragma once

#include <span>

#include "tessera/error.h"
#include "tessera/kernels/groups.h"
#include "tessera/kernels/host_device.h"
#include "tessera/kernels/views.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// What a category's own decoders reconstruct: n_k features of its family, once for each level, side
/// by side. Group g of a table is category g.
struct PartialCategory {
  int32_t features, levels;   // n_k, L
  int32_t partial_begin = 0;  // column of the partial reconstructions; level l begins n_k l later

  static constexpr int kFeaturesPerTile = 256;
  enum Tiling { kByFeature, kTilings };
  static int32_t tiles(std::span<const PartialCategory> all, size_t g, int) {
    return (all[g].features + kFeaturesPerTile - 1) / kFeaturesPerTile;
  }
  static void check(std::span<const PartialCategory> all) {
    for (const PartialCategory& one : all)
      TESSERA_CHECK(one.features > 0 && one.levels > 0, "partial reconstructions of ", one.features,
                    " features on ", one.levels, " levels; both must be positive");
  }
};

/// How much each partial reconstruction counts: by how much its feature is of its category,
///
///   weights[p] = A[i, k] feature_weight[i] / L,  p = partial_begin + n_k l + j,
///   i = features[partial_begin + j]
struct PartialWeights {
  Groups<PartialCategory> categories;
  VectorView<const int32_t> features;  // [partial columns]; of level 0 of a category, no two equal
  MatrixView<const real> assignment;   // A [D, K]
  VectorView<const real> feature_weight;  // [D]
  VectorView<real> weights;               // [partial columns]  out
};
void partial_weights(CpuContext&, const PartialWeights&);
void partial_weights(CudaContext&, const PartialWeights&);

/// dA of dloss factor sum_p weights[p] sums[p], where sums are those of kernels/column_loss.h:
///
///   dA[i, k] = beta dA[i, k] + dloss factor (feature_weight[i] / L) sum_l sums[of i, k, l]
///
/// in binary64, rounded once. Elements that no column is of are not written.
struct PartialWeightsGrad {
  Groups<PartialCategory> categories;
  VectorView<const int32_t> features;
  VectorView<const double> sums;  // [partial columns]
  VectorView<const real> feature_weight, dloss;
  MatrixView<real> dassignment;  // [D, K]  out (in, out unless beta is 0)
  double factor;
  real beta = 0;
};
void partial_weights_grad(CpuContext&, const PartialWeightsGrad&);
void partial_weights_grad(CudaContext&, const PartialWeightsGrad&);

/// Feature `local` of those of category `g`: one step of each of the two.
TESSERA_HD void weigh_feature(const PartialWeights& a, int32_t g, int32_t local) {
  const PartialCategory& one = a.categories[g];
  const int64_t i = a.features.data[one.partial_begin + local];
  const real weight =
      a.assignment.data[i * a.assignment.ld + g] * a.feature_weight.data[i] / real(one.levels);
  for (int32_t l = 0; l < one.levels; ++l)
    a.weights.data[one.partial_begin + int64_t{l} * one.features + local] = weight;
}
TESSERA_HD void weigh_feature_grad(const PartialWeightsGrad& a, int32_t g, int32_t local) {
  const PartialCategory& one = a.categories[g];
  const int64_t i = a.features.data[one.partial_begin + local];
  double sum = 0;
  for (int32_t l = 0; l < one.levels; ++l)
    sum += a.sums.data[one.partial_begin + int64_t{l} * one.features + local];
  const double slope =
      double(a.dloss.data[0]) * a.factor * double(a.feature_weight.data[i]) / one.levels * sum;
  real& out = a.dassignment.data[i * a.dassignment.ld + g];
  out = real(a.beta == 0 ? slope : double(a.beta) * double(out) + slope);
}

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
