#pragma once

#include "tessera/kernels/host_device.h"
#include "tessera/kernels/views.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// Squared error with a weight for each column of the prediction:
///
///   sums[p] = sum_n (p[n, p] - t[n, target[p]])^2           binary64
///   loss[0] = factor sum_p weight[p] sums[p]                binary64, p ascending, rounded once
///
/// The order over n is fixed for each backend.
struct ColumnSquaredError {
  MatrixView<const real> p;          // [N, P]
  MatrixView<const real> t;          // [N, T]
  VectorView<const int32_t> target;  // [P] columns of t, or empty: column p itself
  VectorView<const real> weight;     // [P]
  VectorView<double> sums;           // [P]  out
  VectorView<real> loss;             // [1]  out
  double factor;
};
void column_squared_error(CpuContext&, const ColumnSquaredError&);
void column_squared_error(CudaContext&, const ColumnSquaredError&);

/// dp[n, p] = beta dp[n, p] + dloss[0] 2 factor weight[p] (p[n, p] - t[n, target[p]])
struct ColumnSquaredErrorGrad {
  MatrixView<const real> p, t;
  VectorView<const int32_t> target;
  VectorView<const real> weight, dloss;
  MatrixView<real> dp;
  double factor;
  real beta = 0;
};
void column_squared_error_grad(CpuContext&, const ColumnSquaredErrorGrad&);
void column_squared_error_grad(CudaContext&, const ColumnSquaredErrorGrad&);

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
