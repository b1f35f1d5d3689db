#pragma once

#include "tessera/kernels/host_device.h"
#include "tessera/kernels/step_state.h"
#include "tessera/kernels/views.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// sum[0] = sum_i x[i]^2      binary64, in an order fixed per backend
struct SquareSum {
  VectorView<const real> x;
  VectorView<double> sum;  // [1]  out
};
void square_sum(CpuContext&, const SquareSum&);
void square_sum(CudaContext&, const SquareSum&);

/// One Adam step over a flat parameter group, with clipping by the group's global norm.
///
///   g = clip grads,  clip = min(1, clip_norm / sqrt(grad_square_sum))    1 where clip_norm is 0
///   m = beta1 m + (1 - beta1) g
///   v = beta2 v + (1 - beta2) g^2
///   values -= learning_rate (m / (1 - beta1^step)) / (sqrt(v / (1 - beta2^step)) + epsilon)
///
/// Rates, betas, their corrections and clip_norm come from `state`. Gradients are left as they are.
/// Source: Kingma and Ba 2015, algorithm 1; Pascanu et al. 2013, algorithm 1.
struct AdamStep {
  VectorView<real> values;  // in, out
  VectorView<const real> grads;
  VectorView<real> first_moment, second_moment;  // in, out
  VectorView<const double> grad_square_sum;      // [1], or empty: no clipping
  const StepState* state;
  int group;  // which rate and clip norm of the state
  real epsilon;
};
void adam_step(CpuContext&, const AdamStep&);
void adam_step(CudaContext&, const AdamStep&);

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
