#pragma once

#include "tessera/kernels/host_device.h"
#include "tessera/kernels/views.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// y[n, c] = (x[n, c] - mean_n) rstd_n gain[c] + shift[c],  mean and biased variance over c
///   rstd_n = 1 / sqrt(var_n + epsilon)
/// Source: Ba et al. 2016, eq. (4).
struct LayerNorm {
  MatrixView<const real> x;         // [N, C]
  VectorView<const real> gain, shift;  // [C]
  MatrixView<real> y;               // out
  VectorView<real> mean, rstd;      // [N]  out
  real epsilon;
};
void layer_norm(CpuContext&, const LayerNorm&);
void layer_norm(CudaContext&, const LayerNorm&);

/// Gradients of LayerNorm. Null views are not computed. dgain and dshift sum over n
/// in an order fixed for each backend.
struct LayerNormGrad {
  MatrixView<const real> x, dy;
  VectorView<const real> gain, mean, rstd;
  MatrixView<real> dx;             // beta_x dx + ...
  VectorView<real> dgain, dshift;  // beta_p d. + ...
  real beta_x = 0, beta_p = 0;
};
void layer_norm_grad(CpuContext&, const LayerNormGrad&);
void layer_norm_grad(CudaContext&, const LayerNormGrad&);

/// y[n, c] = (x[n, c] - mean_c) rstd_c gain[c] + shift[c]
///
/// Training: mean_c and the biased variance over n; the running statistics move by
///   running_mean = (1 - momentum) running_mean + momentum mean_c
///   running_var  = (1 - momentum) running_var  + momentum var_c N / max(1, N - 1)
/// Evaluation: mean_c and rstd_c from the running statistics, which stay.
/// Source: Ioffe and Szegedy 2015, algorithms 1 and 2.
struct BatchNorm {
  MatrixView<const real> x;
  VectorView<const real> gain, shift;
  MatrixView<real> y;                             // out
  VectorView<real> mean, rstd;                    // [C]  out
  VectorView<real> running_mean, running_variance;  // [C]  in, out when training
  real epsilon, momentum;
  bool training;
};
void batch_norm(CpuContext&, const BatchNorm&);
void batch_norm(CudaContext&, const BatchNorm&);

/// Gradients of BatchNorm; in training mean and variance depend on x.
struct BatchNormGrad {
  MatrixView<const real> x, dy;
  VectorView<const real> gain, mean, rstd;
  MatrixView<real> dx;
  VectorView<real> dgain, dshift;
  bool training;
  real beta_x = 0, beta_p = 0;
};
void batch_norm_grad(CpuContext&, const BatchNormGrad&);
void batch_norm_grad(CudaContext&, const BatchNormGrad&);

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
