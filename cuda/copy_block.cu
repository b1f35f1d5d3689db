// Blocks of larger matrices: contract in tessera/kernels/copy_block.h.
//
// Mapping    256 threads x 4 values per block, neighbours in neighbouring threads.
// Cost       HBM: x and y once each.
// Exactness  as the CPU: the same bits.

#include "launch.cuh"
#include "tessera/kernels/copy_block.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

__global__ void copy_block_kernel(CopyBlock a) {
  cuda::for_elements(a.y.rows * a.y.cols, [&](int64_t e) {
    const int64_t r = e / a.y.cols, c = e % a.y.cols;
    const real x = a.x.data[r * a.x.ld + c];
    real& y = a.y.data[r * a.y.ld + c];
    y = a.beta == 0 ? x : x + a.beta * y;
  });
}

}  // namespace

void copy_block(CudaContext& context, const CopyBlock& a) {
  cuda::launch_elements(context, "copy_block", copy_block_kernel, a.y.rows * a.y.cols, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
