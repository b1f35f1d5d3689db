// Activations and their gradients: contracts in tessera/kernels/unary.h.
//
// Mapping    256 threads x 4 values per block; one instantiation for each activation.
// Cost       HBM: each operand once, 8 (forward) and 16 (gradient) bytes per value.
// Exactness  the formulas of the contract, compiled without contraction.

#include "launch.cuh"
#include "tessera/kernels/unary.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

template <class Op>
__global__ void unary_kernel(Unary a) {
  cuda::for_elements(a.y.size, [&](int64_t i) { a.y.data[i] = Op::f(a.x.data[i]); });
}

template <class Op>
__global__ void unary_grad_kernel(UnaryGrad a) {
  cuda::for_elements(a.dx.size, [&](int64_t i) {
    const real dx = a.dy.data[i] * a.scale * Op::df(a.x.data[i], a.y.data[i]);
    a.dx.data[i] = a.beta == 0 ? dx : a.beta * a.dx.data[i] + dx;
  });
}

}  // namespace

void unary(CudaContext& context, const Unary& a) {
  with_unary(a.op, [&](auto op) {
    cuda::launch_elements(context, "unary", unary_kernel<decltype(op)>, a.y.size, a);
  });
}
void unary_grad(CudaContext& context, const UnaryGrad& a) {
  with_unary(a.op, [&](auto op) {
    cuda::launch_elements(context, "unary_grad", unary_grad_kernel<decltype(op)>, a.dx.size, a);
  });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
