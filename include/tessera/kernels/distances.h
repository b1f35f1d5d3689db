#pragma once

#include <cmath>

#include "tessera/kernels/column_groups.h"
#include "tessera/kernels/host_device.h"
#include "tessera/kernels/views.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// Distances between rows, averaged over groups of columns:
///
///   d[i, j] = (1 / G) sum_g |x_i^g - x_j^g|      x^g the columns of group g, Euclidean
///
/// Symmetric to the bit, with a diagonal of 0. One chain of fused multiply-adds over the columns of
/// a group, ascending; groups ascending.
struct MeanDistances {
  Groups<ColumnGroup> groups;
  MatrixView<const real> x;    // [n, C]
  MatrixView<real> distances;  // [n, n]  out
};
void mean_distances(CpuContext&, const MeanDistances&);
void mean_distances(CudaContext&, const MeanDistances&);

/// Gradient of MeanDistances for a symmetric gradient dd of the distances:
///
///   dx[i, c] = beta dx[i, c] + 2 sum_j dd[i, j] (x[i, c] - x[j, c]) / (G |x_i^g - x_j^g|),  c in g
/// Pairs at distance 0 add nothing. The order over j is fixed for each backend.
struct MeanDistancesGrad {
  Groups<ColumnGroup> groups;
  MatrixView<const real> x, dd;
  MatrixView<real> dx;
  real beta = 0;
};
void mean_distances_grad(CpuContext&, const MeanDistancesGrad&);
void mean_distances_grad(CudaContext&, const MeanDistancesGrad&);

/// Pearson correlation of two vectors, as r = a'.b' / (|a'||b'| + 1e-8) with a', b' centred.
///
///   moments = mean a, mean b, |a'|^2, |b'|^2, a'.b'      binary64, in an order fixed per backend
struct VectorCorrelation {
  VectorView<const real> a, b;
  VectorView<double> moments;  // [5]  out
  VectorView<real> r;          // [1]  out
};
void vector_correlation(CpuContext&, const VectorCorrelation&);
void vector_correlation(CudaContext&, const VectorCorrelation&);

/// Gradients of r; null views are not computed:
///
///   db = beta db + dr (a' / s - (a'.b') |a'| b' / (|b'| s^2)),   s = |a'||b'| + 1e-8;   da alike
/// Where |a'| or |b'| is 0 the second term is left out.
struct VectorCorrelationGrad {
  VectorView<const real> a, b;
  VectorView<const double> moments;
  VectorView<const real> dr;  // [1]
  VectorView<real> da, db;
  real beta_a = 0, beta_b = 0;
};
void vector_correlation_grad(CpuContext&, const VectorCorrelationGrad&);
void vector_correlation_grad(CudaContext&, const VectorCorrelationGrad&);

/// db = scale_a a' + scale_b b', with these two factors (the formula above).
struct CorrelationSlope {
  double toward, along;
};
TESSERA_HD CorrelationSlope correlation_slope(double other_square, double own_square,
                                              double product, double dr) {
  const double other_norm = sqrt(other_square), own_norm = sqrt(own_square);
  const double s = other_norm * own_norm + 1e-8;
  return {dr / s, own_norm > 0 ? -dr * product * other_norm / (own_norm * s * s) : 0.0};
}

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
