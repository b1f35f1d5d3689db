#pragma once

#include "tessera/kernels/vq_assign.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// How alike the codes of a codebook point, averaged over the codebooks:
///
///   loss[0] = (1 / G) sum_g (1 / (K (K - 1))) sum_{i != j} cos(e_i, e_j)^2     binary64
///
/// A codebook of one code adds 0; a code of norm 0 has cosine 0 with all.
struct CodeOrthogonality {
  Groups<VqGroup> groups;
  VectorView<const real> codebooks;  // flat
  VectorView<double> parts;          // [G]  out: what each codebook adds
  VectorView<real> loss;             // [1]  out
};
void code_orthogonality(CpuContext&, const CodeOrthogonality&);
void code_orthogonality(CudaContext&, const CodeOrthogonality&);

/// de_i += dloss (4 / (G K (K - 1))) sum_{j != i} c_ij (u_j - c_ij u_i) / |e_i|,   u = e / |e|
struct CodeOrthogonalityGrad {
  Groups<VqGroup> groups;
  VectorView<const real> codebooks, dloss;
  VectorView<real> dcodebooks;  // flat  in, out
};
void code_orthogonality_grad(CpuContext&, const CodeOrthogonalityGrad&);
void code_orthogonality_grad(CudaContext&, const CodeOrthogonalityGrad&);

/// How far the use of codes is from even, with soft assignments, averaged over the codebooks:
///
///   s[n, k] = softmax_k(-|z_n - e_k|^2 / (temperature d_g)),   p[k] = (1 / N) sum_n s[n, k]
///   loss[0] = (1 / G) sum_g (ln K_g - H(p)),                   H(p) = -sum_k p ln p
///
/// Source: the entropy term of the customer's reference, made differentiable by soft distances
/// (Agustsson et al. 2017, eq. (4)).
struct CodeEntropy {
  Groups<VqGroup> groups;
  MatrixView<const real> latents;    // [N, latent columns]
  VectorView<const real> codebooks;  // flat
  VectorView<double> use;            // [total codes]  out: p
  VectorView<double> parts;          // [G]  out
  VectorView<real> loss;             // [1]  out
  real temperature = 1;
};
void code_entropy(CpuContext&, const CodeEntropy&);
void code_entropy(CudaContext&, const CodeEntropy&);

/// dz = beta dz + gradient of the loss with respect to the latents; codebooks are taken as given.
struct CodeEntropyGrad {
  Groups<VqGroup> groups;
  MatrixView<const real> latents;
  VectorView<const real> codebooks, dloss;
  VectorView<const double> use;
  MatrixView<real> dlatents;  // columns of the groups are written
  real temperature = 1, beta = 0;
};
void code_entropy_grad(CpuContext&, const CodeEntropyGrad&);
void code_entropy_grad(CudaContext&, const CodeEntropyGrad&);

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
