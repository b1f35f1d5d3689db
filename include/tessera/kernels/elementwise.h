#pragma once

#include "tessera/kernels/host_device.h"
#include "tessera/kernels/step_state.h"
#include "tessera/kernels/views.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// y[i] = value
struct Fill {
  VectorView<real> y;
  real value;
};
void fill(CpuContext&, const Fill&);
void fill(CudaContext&, const Fill&);

/// y[i] = alpha x[i] + beta y[i]      with beta 0, y may hold anything
struct ScaleAdd {
  VectorView<const real> x;
  VectorView<real> y;
  real alpha = 1, beta = 1;
};
void scale_add(CpuContext&, const ScaleAdd&);
void scale_add(CudaContext&, const ScaleAdd&);

/// sums[c] = beta sums[c] + sum_n x[n, c]      binary64, rounded once; the order
/// over n is fixed for each backend (CPU: ascending)
struct ColumnSums {
  MatrixView<const real> x;
  VectorView<real> sums;
  real beta = 0;
};
void column_sums(CpuContext&, const ColumnSums&);
void column_sums(CudaContext&, const ColumnSums&);

/// Inverted dropout. keep = random_uniform(seed, stream, step, i) >= rate
///   y[i] = beta y[i] + (keep ? x[i] / (1 - rate) : 0)
/// Its own backward: the same call on the gradient. i counts elements row-major. 0 <= rate < 1.
/// y may be x.
struct Dropout {
  VectorView<const real> x;
  VectorView<real> y;
  const StepState* state;
  uint32_t stream;
  real rate;
  real beta = 0;
};
void dropout(CpuContext&, const Dropout&);
void dropout(CudaContext&, const Dropout&);

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
