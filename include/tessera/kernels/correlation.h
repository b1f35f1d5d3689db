#pragma once

#include <cmath>

#include "tessera/kernels/host_device.h"
#include "tessera/kernels/views.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// Pearson correlation of the columns of x, in binary64 whatever `real` is.
///
///   m_i  = (1 / N) sum_n x[n, i]
///   s_ij = sum_n (x[n, i] - m_i) (x[n, j] - m_j)
///   g_i  = sqrt(s_ii), but 0 where s_ii <= N (2^-40 m_i)^2: what is left of a constant column is
///          the rounding of its mean
///   r_ij = s_ij / (g_i g_j), kept within [-1, 1]; 0 where g_i or g_j is 0; r_ii = 1
///
/// The sum of m has 16 lanes: row n is added to lane n mod 16, lanes are added 0 to 15. The sum of s
/// is cut into slices of kSlice rows: each is a chain of fused multiply-adds over ascending rows
/// from 0, and slices are added ascending from 0. So the bits are those of this definition on every
/// backend. A NaN or infinity in a column makes r NaN in its row and column, r_ii included.
/// N is at least 1. r overlaps nothing.
struct Correlation {
  static constexpr int64_t kLanes = 16, kSlice = 4096;
  static constexpr double kResolution = 0x1p-40;  // of a mean; floats resolve 2^-24 of it
  MatrixView<const real> x;                       // [N, D]
  MatrixView<double> r;                           // [D, D]  out, symmetric
  VectorView<double> means;                       // m, [D]  out
  VectorView<double> norms;                       // g, [D]  out
};
void correlation(CpuContext&, const Correlation&);   // src/cpu/correlation.cpp
void correlation(CudaContext&, const Correlation&);  // cuda/correlation.cu

/// g_i of the contract above. `sqrt` is correctly rounded on both backends.
TESSERA_HD double correlation_norm(double square_sum, double mean, int64_t rows) {
  const double least = Correlation::kResolution * mean;
  return square_sum <= static_cast<double>(rows) * (least * least) ? 0.0 : sqrt(square_sum);
}

/// r_ij of the contract above for i != j.
TESSERA_HD double correlation_of(double product_sum, double norm_i, double norm_j) {
  if (norm_i == 0 || norm_j == 0) {
    const double sum = norm_i + norm_j;  // a NaN stays one
    return sum == sum ? 0.0 : sum;
  }
  const double r = product_sum / (norm_i * norm_j);
  return r > 1 ? 1.0 : r < -1 ? -1.0 : r;
}

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
