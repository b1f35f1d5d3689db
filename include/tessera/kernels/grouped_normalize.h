#pragma once

#include "tessera/kernels/column_groups.h"
#include "tessera/kernels/views.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// LayerNorm (kernels/normalize.h) of each group of columns for itself, as one launch:
///
///   y[n, c] = (x[n, c] - mean[n, g]) rstd[n, g] gain[c] + shift[c],   c in group g
///   mean and biased variance over the columns of g;   rstd = 1 / sqrt(variance + epsilon)
///
/// Columns that belong to no group are not written.
struct GroupedLayerNorm {
  Groups<ColumnGroup> groups;
  MatrixView<const real> x;            // [N, C]
  VectorView<const real> gain, shift;  // [C]
  MatrixView<real> y;                  // [N, C]  out
  MatrixView<real> mean, rstd;         // [N, G]  out
  real epsilon;
};
void grouped_layer_norm(CpuContext&, const GroupedLayerNorm&);
void grouped_layer_norm(CudaContext&, const GroupedLayerNorm&);

/// Gradients of GroupedLayerNorm. Null views are not computed. dgain and dshift sum over n in an
/// order fixed for each backend.
struct GroupedLayerNormGrad {
  Groups<ColumnGroup> groups;
  MatrixView<const real> x, dy;
  VectorView<const real> gain;
  MatrixView<const real> mean, rstd;
  MatrixView<real> dx;             // beta_x dx + ...
  VectorView<real> dgain, dshift;  // beta_p d. + ...
  real beta_x = 0, beta_p = 0;
};
void grouped_layer_norm_grad(CpuContext&, const GroupedLayerNormGrad&);
void grouped_layer_norm_grad(CudaContext&, const GroupedLayerNormGrad&);

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
