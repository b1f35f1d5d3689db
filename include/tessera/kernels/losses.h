#pragma once

#include "tessera/kernels/host_device.h"
#include "tessera/kernels/views.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// loss[0] = (1 / n) sum_i (p[i] - t[i])^2      binary64, in an order fixed per backend; 0 for n = 0
struct MeanSquaredError {
  VectorView<const real> p, t;
  VectorView<real> loss;  // [1]  out
};
void mean_squared_error(CpuContext&, const MeanSquaredError&);
void mean_squared_error(CudaContext&, const MeanSquaredError&);

/// dp[i] = beta dp[i] + dloss[0] (2 / n) (p[i] - t[i])
struct MeanSquaredErrorGrad {
  VectorView<const real> p, t, dloss;
  VectorView<real> dp;
  real beta = 0;
};
void mean_squared_error_grad(CpuContext&, const MeanSquaredErrorGrad&);
void mean_squared_error_grad(CudaContext&, const MeanSquaredErrorGrad&);

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
