// Chosen columns of a matrix: contracts in tessera/kernels/gather_columns.h.
//
// Mapping    256 threads x 4 values per block, neighbours in neighbouring threads.
// Cost       HBM: the result once; x in sectors of 32 bytes, whole where columns neighbour.
// Exactness  as the CPU: the same bits.

#include "launch.cuh"
#include "tessera/kernels/gather_columns.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

__global__ void gather_columns_kernel(GatherColumns a) {
  cuda::for_elements(a.y.rows * a.y.cols, [&](int64_t e) {
    const int64_t n = e / a.y.cols, t = e % a.y.cols;
    a.y.data[n * a.y.ld + t] = a.x.data[n * a.x.ld + a.columns.data[t]];
  });
}

__global__ void gather_columns_grad_kernel(GatherColumnsGrad a) {
  cuda::for_elements(a.dx.rows * a.dx.cols, [&](int64_t e) {
    const int64_t n = e / a.dx.cols, i = e % a.dx.cols;
    real& out = a.dx.data[n * a.dx.ld + i];
    out = (a.beta == 0 ? 0.0f : a.beta * out) + gathered_grad(a, n, i);
  });
}

}  // namespace

void gather_columns(CudaContext& context, const GatherColumns& a) {
  cuda::launch_elements(context, "gather_columns", gather_columns_kernel, a.y.rows * a.y.cols, a);
}

void gather_columns_grad(CudaContext& context, const GatherColumnsGrad& a) {
  cuda::launch_elements(context, "gather_columns_grad", gather_columns_grad_kernel,
                        a.dx.rows * a.dx.cols, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
