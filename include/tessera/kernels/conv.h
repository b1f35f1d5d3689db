#pragma once

#include "tessera/kernels/grids.h"
#include "tessera/kernels/views.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// Convolution (cross-correlation) of grids and series, without a bias; positions outside a sample
/// count as 0.
///
///   y[q, o] = sum_{i, j, c} x[p(q, i, j), c] weight[o, (i kw + j) C + c]
///
/// q is output position (y, x) of a sample, p(q, i, j) the input position of the same sample that the
/// window shows it at (i, j). The value of a row depends on its sample alone: not on where the
/// sample stands in the batch, nor on the others. Sums over (i, j, c) in an order fixed for each
/// backend.
/// Source: LeCun et al. 1989; as a product of matrices: Chellapilla et al. 2006.
struct Conv {
  MatrixView<const real> x;       // [in.rows, C]
  Grids in, out;                  // the same samples before and after the window
  Window window;                  // kh x kw
  MatrixView<const real> weight;  // [O, kh kw C]
  MatrixView<real> y;             // [out.rows, O]  out
};
void conv(CpuContext&, const Conv&);
void conv(CudaContext&, const Conv&);

/// dx = beta dx + the gradient of Conv in x:
///   dx[p, c] = sum over (q, i, j) with p(q, i, j) = p, and over o, of dy[q, o] weight[o, (i kw + j) C + c]
struct ConvInputGrad {
  MatrixView<const real> dy;  // [out.rows, O]
  Grids in, out;
  Window window;
  MatrixView<const real> weight;  // [O, kh kw C]
  MatrixView<real> dx;            // [in.rows, C]  out (in, out unless beta is 0)
  real beta = 0;
};
void conv_input_grad(CpuContext&, const ConvInputGrad&);
void conv_input_grad(CudaContext&, const ConvInputGrad&);

/// dweight = beta dweight + the gradient of Conv in its weight:
///   dweight[o, (i kw + j) C + c] = sum_q dy[q, o] x[p(q, i, j), c]
/// The order of the sum over q is fixed for each backend and shape of the batch.
struct ConvWeightGrad {
  MatrixView<const real> x;   // [in.rows, C]
  MatrixView<const real> dy;  // [out.rows, O]
  Grids in, out;
  Window window;
  MatrixView<real> dweight;  // [O, kh kw C]  out (in, out unless beta is 0)
  real beta = 0;
};
void conv_weight_grad(CpuContext&, const ConvWeightGrad&);
void conv_weight_grad(CudaContext&, const ConvWeightGrad&);

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
