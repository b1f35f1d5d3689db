// Linear layers of many groups: contracts in tessera/kernels/grouped_linear.h.
//
// Mapping    every group is a product of matmul.cpp; the chunks of all of them are one job of the
//            pool, so a few large groups do not wait for many small ones.
// Cost       2*N*sum(I_g*O_g) flop.
// Exactness  as matmul.cpp: one chain for each result.

#define HWY_TARGET_INCLUDE "cpu/grouped_linear.cpp"
#include "cpu/simd_targets.h"
// First the targets, then all else.
#include "cpu/cpu_context.h"
#include "cpu/matmul-inl.h"
#include "tessera/kernels/grouped_linear.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

/// Columns [begin, begin + count) of a matrix.
template <class T>
MatrixView<T> columns(const MatrixView<T>& m, int32_t begin, int32_t count) {
  return {m.data + begin, m.rows, count, m.ld};
}

void forward_groups(ThreadPool& pool, const GroupedLinear& a) {
  multiply_all(pool, a.groups.count, [&](int64_t g) {
    const LinearGroup& group = a.groups[static_cast<int32_t>(g)];
    Matmul m = {.a = columns(a.x, group.in_begin, group.in),
                .b = {a.weights.data + group.weight_begin, group.out, group.in, group.in},
                .c = columns(a.y, group.out_begin, group.out),
                .tb = Transpose::Yes,
                .bias = {}};
    if (a.bias.data != nullptr) m.bias = {a.bias.data + group.out_begin, group.out};
    return m;
  });
}

void input_grad_groups(ThreadPool& pool, const GroupedLinearInputGrad& a) {
  multiply_all(pool, a.groups.count, [&](int64_t g) {
    const LinearGroup& group = a.groups[static_cast<int32_t>(g)];
    return Matmul{.a = columns(a.dy, group.out_begin, group.out),
                  .b = {a.weights.data + group.weight_begin, group.out, group.in, group.in},
                  .c = columns(a.dx, group.in_begin, group.in),
                  .beta = a.beta,
                  .bias = {}};
  });
}

void weight_grad_groups(ThreadPool& pool, const GroupedLinearWeightGrad& a) {
  multiply_all(pool, a.groups.count, [&](int64_t g) {
    const LinearGroup& group = a.groups[static_cast<int32_t>(g)];
    return Matmul{.a = columns(a.dy, group.out_begin, group.out),
                  .b = columns(a.x, group.in_begin, group.in),
                  .c = {a.dweights.data + group.weight_begin, group.out, group.in, group.in},
                  .ta = Transpose::Yes,
                  .beta = a.beta,
                  .bias = {}};
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {

HWY_EXPORT(forward_groups);
void grouped_linear(CpuContext& context, const GroupedLinear& a) {
  context.enqueue("grouped_linear", [&] {
    HWY_DYNAMIC_DISPATCH(forward_groups)(context.pool(), a);
  });
}

HWY_EXPORT(input_grad_groups);
void grouped_linear_input_grad(CpuContext& context, const GroupedLinearInputGrad& a) {
  context.enqueue("grouped_linear_input_grad", [&] {
    HWY_DYNAMIC_DISPATCH(input_grad_groups)(context.pool(), a);
  });
}

HWY_EXPORT(weight_grad_groups);
void grouped_linear_weight_grad(CpuContext& context, const GroupedLinearWeightGrad& a) {
  context.enqueue("grouped_linear_weight_grad", [&] {
    HWY_DYNAMIC_DISPATCH(weight_grad_groups)(context.pool(), a);
  });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
