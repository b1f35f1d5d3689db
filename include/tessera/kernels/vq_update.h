#pragma once

#include "tessera/kernels/step_state.h"
#include "tessera/kernels/vq_assign.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// quantized[n, columns of g] = e_g[codes[n, g]]. Codes are in range.
struct VqLookup {
  Groups<VqGroup> groups;
  MatrixView<const int32_t> codes;   // [N, G]
  VectorView<const real> codebooks;  // flat
  MatrixView<real> quantized;        // [N, latent columns]  out
};
void vq_lookup(CpuContext&, const VqLookup&);
void vq_lookup(CudaContext&, const VqLookup&);

/// What each code received: how many rows, and their sum.
///
///   counts_g[k] = number of n with codes[n, g] == k
///   sums_g[k]   = beta sums_g[k] + scale * sum over those n of rows[n, columns of g]
///   usage_g[k] += counts_g[k]
/// Sums are taken in binary64, n ascending, and rounded once. With rows = dquantized this is the
/// gradient of the codebook. Null counts, sums or usage are not computed.
struct VqCodeSums {
  Groups<VqGroup> groups;
  MatrixView<const int32_t> codes;  // [N, G]
  MatrixView<const real> rows;      // [N, latent columns]
  VectorView<real> counts;          // [total codes]  out
  VectorView<real> sums;            // flat as the codebooks  out (in, out with beta 1)
  VectorView<int64_t> usage;        // [total codes]  in, out
  real beta = 0, scale = 1;
};
void vq_code_sums(CpuContext&, const VqCodeSums&);
void vq_code_sums(CudaContext&, const VqCodeSums&);

/// Codebooks as running averages of the rows assigned to them.
///
///   N_k = decay N_k + (1 - decay) n_k,   M_k = decay M_k + (1 - decay) s_k
///   e_k = M_k / N~_k,   N~_k = (N_k + epsilon) / (sum N + K epsilon) * sum N
/// The smoothed counts N~ are never stored. sum N is taken in binary64, in an order fixed for
/// each backend (CPU: k ascending); a codebook whose sum N is 0 keeps its rows.
/// Source: van den Oord et al. 2017, appendix A.1; Laplace smoothing as in Razavi et al. 2019.
struct VqEmaUpdate {
  Groups<VqGroup> groups;
  VectorView<const real> batch_counts;  // n, [total codes]
  VectorView<const real> batch_sums;    // s, flat
  VectorView<real> counts;              // N  in, out
  VectorView<real> sums;                // M  in, out
  VectorView<real> codebooks;           // e  out
  real decay, epsilon;
};
void vq_ema_update(CpuContext&, const VqEmaUpdate&);
void vq_ema_update(CudaContext&, const VqEmaUpdate&);

/// N_k = decay N_k + (1 - decay) n_k: the usage statistic of codebooks trained by gradient.
struct VqCountUpdate {
  VectorView<const real> batch_counts;
  VectorView<real> counts;  // in, out
  real decay;
};
void vq_count_update(CpuContext&, const VqCountUpdate&);
void vq_count_update(CudaContext&, const VqCountUpdate&);

/// Replaces codes that are hardly used by rows of the current batch.
///
/// Runs when step mod interval is 0, else does nothing. A code is dead where
/// N_k < threshold * sum N / K. At most max_fraction * K codes (rounded down) are replaced, the
/// smallest N first, ties by lower index. The j-th of them (from 0, in that order) becomes
///   e_k = latents[permuted_index(seed, kStreamDeadCodes + g, step, j, rows), columns of g]
///   N_k = mean N before the reset,   M_k = N_k e_k,   both moments 0
/// Rows are distinct until the batch has no more: j is taken mod rows. Null sums or moments are
/// skipped. `resets` counts replaced codes.
struct VqResetDeadCodes {
  Groups<VqGroup> groups;
  MatrixView<const real> latents;  // [rows, latent columns]
  VectorView<real> counts;         // N, [total codes]  in, out
  VectorView<real> sums;           // M, flat  in, out
  VectorView<real> first_moment, second_moment;  // flat as the codebooks  in, out
  VectorView<real> codebooks;                    // in, out
  VectorView<int64_t> resets;                    // [1]  in, out
  const StepState* state;
  int64_t interval;
  double threshold, max_fraction;
};
void vq_reset_dead_codes(CpuContext&, const VqResetDeadCodes&);
void vq_reset_dead_codes(CudaContext&, const VqResetDeadCodes&);

/// Gradient of the rotation trick: what reaches a latent e when g arrives at its code q.
///
///   de = beta de + lambda R^T g,   lambda = |q| / |e|,   R = I - 2 r r^T + 2 qh eh^T
///   eh = e / |e|,  qh = q / |q|,  r = (eh + qh) / |eh + qh|
/// per row and group; lambda and R are constants. Norms and products in binary64. Falls back to
/// de = beta de + g where the rotation is not defined: |e| or |q| below 1e-30 or below 1e-12 of the
/// other, or 1 + eh.qh < 1e-6 (opposite directions). Values that are not finite propagate.
/// Source: Fifty et al. 2025 (arXiv 2410.06424), section 4.2.
struct VqRotationGrad {
  Groups<VqGroup> groups;
  MatrixView<const real> latents, quantized, dy;  // [N, latent columns]
  MatrixView<real> dlatents;
  real beta = 0;
};
void vq_rotation_grad(CpuContext&, const VqRotationGrad&);
void vq_rotation_grad(CudaContext&, const VqRotationGrad&);

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
