#pragma once

#include "tessera/kernels/host_device.h"
#include "tessera/kernels/views.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// y[n, t] = x[n, columns[t]]; a column may be taken more than once.
struct GatherColumns {
  MatrixView<const real> x;           // [N, D]
  VectorView<const int32_t> columns;  // [T], each in [0, D)
  MatrixView<real> y;                 // [N, T]  out
};
void gather_columns(CpuContext&, const GatherColumns&);
void gather_columns(CudaContext&, const GatherColumns&);

/// dx[n, i] = beta dx[n, i] + sum of dy[n, t] over the t with columns[t] = i, in the order of places
///
/// Those t are places[first[i]] to places[first[i + 1] - 1].
struct GatherColumnsGrad {
  MatrixView<const real> dy;                // [N, T]
  VectorView<const int32_t> first, places;  // [D + 1], [T]
  MatrixView<real> dx;                      // [N, D]  out (in, out unless beta is 0)
  real beta = 0;
};
void gather_columns_grad(CpuContext&, const GatherColumnsGrad&);
void gather_columns_grad(CudaContext&, const GatherColumnsGrad&);

/// The contribution to dx[n, i]: one formula for both backends.
TESSERA_HD real gathered_grad(const GatherColumnsGrad& a, int64_t n, int64_t i) {
  const real* dy = a.dy.data + n * a.dy.ld;
  real sum = 0;
  for (int32_t p = a.first.data[i]; p < a.first.data[i + 1]; ++p) sum += dy[a.places.data[p]];
  return sum;
}

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
