#pragma once

#include <cmath>

#include "tessera/kernels/host_device.h"
#include "tessera/kernels/views.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// How alike K columns s_k point, from their products G = S^T S:
///
///   c_kj    = G_kj / sqrt(G_kk G_jj), 0 where a column is 0
///   loss[0] = (2 / (K (K - 1))) sum_{k < j} |c_kj|;  0 for a single column         binary64
///
/// Source: the customer's reference, section 4.6 of its description.
struct CategoryCosines {
  MatrixView<const real> products;  // G [K, K]
  VectorView<real> loss;            // [1]  out
};
void category_cosines(CpuContext&, const CategoryCosines&);
void category_cosines(CudaContext&, const CategoryCosines&);

/// The gradient as coefficients: dS = S C, with the symmetric
///
///   C_kj = dloss (2 / (K (K - 1))) sign(c_kj) / sqrt(G_kk G_jj)      k != j
///   C_kk = -dloss (2 / (K (K - 1))) sum_{j != k} |c_kj| / G_kk
struct CategoryCosinesGrad {
  MatrixView<const real> products;  // G
  VectorView<const real> dloss;     // [1]
  MatrixView<real> coefficients;    // C [K, K]  out
};
void category_cosines_grad(CpuContext&, const CategoryCosinesGrad&);
void category_cosines_grad(CudaContext&, const CategoryCosinesGrad&);

/// 1 / (sqrt(G_kk G_jj)); 0 where a column is 0.
TESSERA_HD double inverse_norms(const MatrixView<const real>& products, int64_t k, int64_t j) {
  const double square =
      double(products.data[k * products.ld + k]) * double(products.data[j * products.ld + j]);
  return square > 0 ? 1 / sqrt(square) : 0;
}
TESSERA_HD double cosine_at(const MatrixView<const real>& products, int64_t k, int64_t j) {
  return double(products.data[k * products.ld + j]) * inverse_norms(products, k, j);
}
/// 2 / (K (K - 1))
TESSERA_HD double pair_weight(int64_t count) {
  return count < 2 ? 0 : 2 / (static_cast<double>(count) * static_cast<double>(count - 1));
}

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
