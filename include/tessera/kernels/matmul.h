#pragma once

#include "tessera/kernels/host_device.h"
#include "tessera/kernels/views.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

enum class Transpose { No, Yes };

/// c = op(a) op(b) + beta c + bias        c [M, N], op(a) [M, K], op(b) [K, N]
///
/// Every c[m, n] is one chain of fused multiply-adds over k ascending in `real`, started from
/// beta c[m, n] + bias[n] (rounded once where both are present), so the result depends neither on
/// tiles nor on threads. On CUDA the order is cuBLAS's own. With beta 0, c may hold anything.
/// c overlaps neither a nor b.
struct Matmul {
  MatrixView<const real> a;     // [M, K], or [K, M] when ta is Yes
  MatrixView<const real> b;     // [K, N], or [N, K] when tb is Yes
  MatrixView<real> c;           // [M, N]  out (in, out unless beta is 0)
  Transpose ta = Transpose::No, tb = Transpose::No;
  real beta = 0;                // 0 or 1
  VectorView<const real> bias;  // [N], or empty for none
};
void matmul(CpuContext&, const Matmul&);   // src/cpu/matmul.cpp
void matmul(CudaContext&, const Matmul&);  // cuda/matmul.cu

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
