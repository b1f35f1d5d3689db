#pragma once

#include <span>

#include "tessera/error.h"
#include "tessera/kernels/groups.h"
#include "tessera/kernels/host_device.h"
#include "tessera/kernels/views.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// A category's first linear layer, which reads the features of its family, each scaled by how much
/// it belongs to the category. Some of them may be left out: then `features` lists the others.
struct RoutedCategory {
  int32_t in, out;            // I_k features read, H hidden units
  int32_t family_features;    // n_f: columns of W_k
  int32_t feature_begin = 0;  // the family's first feature: row of the assignment
  int32_t category = 0;       // column of the assignment
  int32_t list_begin = 0;     // first of its features in the list
  int64_t weight_begin = 0;   // W_k [H, n_f], row-major, in the flat weights
  int64_t folded_begin = 0;   // W'_k [H, I_k], row-major, in the flat folded weights

  static constexpr int kElementsPerTile = 1024;  // of W'_k
  static constexpr int kInputsPerTile = 8;
  static constexpr int kPanel = 64;  // inputs, as the CPU takes them
  enum Tiling { kByElement, kByInput, kByPanel, kTilings };
  static int32_t tiles(std::span<const RoutedCategory> all, size_t g, int tiling) {
    const RoutedCategory& one = all[g];
    const auto ceil_div = [](int64_t a, int64_t b) {
      return static_cast<int32_t>((a + b - 1) / b);
    };
    return tiling == kByElement ? ceil_div(int64_t{one.in} * one.out, kElementsPerTile)
                                : ceil_div(one.in, tiling == kByInput ? kInputsPerTile : kPanel);
  }
  static void check(std::span<const RoutedCategory> all) {
    for (const RoutedCategory& one : all)
      TESSERA_CHECK(one.in > 0 && one.out > 0 && one.in <= one.family_features, "category ",
                    one.category, " reads ", one.in, " of ", one.family_features, " features into ",
                    one.out, " hidden units");
  }
};

/// The assignment taken into the weights, so that routing costs no pass over the rows:
///
///   x diag(A[:, k]) W_k^T = x W'_k^T,      W'_k[h, j] = A[f, k] W_k[h, f - feature_begin]
///
/// f = features[list_begin + j], or feature_begin + j where there is no list. What lies between the
/// folded weights of two categories is not written.
struct RoutingFold {
  Groups<RoutedCategory> categories;
  MatrixView<const real> assignment;   // A [D, K]
  VectorView<const real> weights;      // flat W
  VectorView<const int32_t> features;  // those that categories read, or empty: all of the family
  VectorView<real> folded;             // flat W'  out
};
void routing_fold(CpuContext&, const RoutingFold&);
void routing_fold(CudaContext&, const RoutingFold&);

/// Both gradients in one pass over the weights:
///
///   dW_k[h, f - feature_begin] = beta_w dW_k[h, f - feature_begin] + A[f, k] dW'_k[h, j]
///   dA[f, k] = beta_a dA[f, k] + sum_h W_k[h, f - feature_begin] dW'_k[h, j]        binary64
///
/// Weights and entries of A that no category reads are not written.
struct RoutingFoldGrad {
  Groups<RoutedCategory> categories;
  MatrixView<const real> assignment;
  VectorView<const real> weights, dfolded;
  VectorView<const int32_t> features;
  VectorView<real> dweights = {};     // flat  out, or empty
  MatrixView<real> dassignment = {};  // [D, K]  out, or empty
  real beta_w = 0, beta_a = 0;   // 0 or 1
};
void routing_fold_grad(CpuContext&, const RoutingFoldGrad&);
void routing_fold_grad(CudaContext&, const RoutingFoldGrad&);

/// The feature that input j of a category is.
TESSERA_HD int32_t routed_feature(const RoutedCategory& one,
                                  const VectorView<const int32_t>& features, int32_t j) {
  return features.data != nullptr ? features.data[one.list_begin + j] : one.feature_begin + j;
}

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
