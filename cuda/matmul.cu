// Matrix product: contract in tessera/kernels/matmul.h.
//
// Mapping    cuBLAS, column-major, so c^T = op(b)^T op(a)^T on the same memory. Where there is a
//            bias, or nothing to sum, a kernel first writes what the product is added to.
// Cost       2*M*N*K flop in plain float32. The bias costs one write of c before the product.
// Exactness  pedantic float32; the order of the sum is cuBLAS's, the same for equal shapes on one
//            machine.

#include "cublas.h"
#include "launch.cuh"
#include "tessera/kernels/matmul.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

/// c = beta c + bias, without reading c where beta is 0.
__global__ void matmul_start_kernel(Matmul a) {
  cuda::for_elements(a.c.rows * a.c.cols, [&](int64_t i) {
    const int64_t m = i / a.c.cols, n = i % a.c.cols;
    real& c = a.c.data[m * a.c.ld + n];
    const real bias = a.bias.data != nullptr ? a.bias.data[n] : real(0);
    c = a.beta == 0 ? bias : a.beta * c + bias;
  });
}

}  // namespace

void matmul(CudaContext& context, const Matmul& a) {
  const int64_t inner = a.ta == Transpose::No ? a.a.cols : a.a.rows;
  const int64_t size = a.c.rows * a.c.cols;
  if (size == 0) return;
  const bool starts = a.bias.data != nullptr || inner == 0;
  if (starts) cuda::launch_elements(context, "matmul_start", matmul_start_kernel, size, a);
  if (inner == 0) return;
  cuda::Cublas& cublas = context.cublas();
  context.enqueue("matmul", [&] {
    context.make_current();
    cublas.sgemm({.transpose_a = a.tb == Transpose::Yes,
                  .transpose_b = a.ta == Transpose::Yes,
                  .m = a.c.cols,
                  .n = a.c.rows,
                  .k = inner,
                  .a = a.b.data,
                  .lda = a.b.ld,
                  .b = a.a.data,
                  .ldb = a.a.ld,
                  .beta = starts ? 1 : a.beta,
                  .c = a.c.data,
                  .ldc = a.c.ld});
  });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
