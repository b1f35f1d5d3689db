// Layer norm of groups of columns: contracts in tessera/kernels/grouped_normalize.h.
//
// Mapping    rows, and for the parameters groups, over the threads.
// Exactness  as layer norm of whole rows, group by group.

#define HWY_TARGET_INCLUDE "cpu/grouped_normalize.cpp"
#include "cpu/simd_targets.h"
// First the targets, then all else.
#include <algorithm>

#include "cpu/cpu_context.h"
#include "cpu/layer_norm-inl.h"
#include "tessera/kernels/grouped_normalize.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

void normalize_groups(const GroupedLayerNorm& a, int64_t n) {
  for (int32_t g = 0; g < a.groups.count; ++g) {
    const int32_t first = a.groups[g].begin;
    normalize_row(a.x.data + n * a.x.ld + first, a.groups[g].cols, a.gain.data + first,
                  a.shift.data + first, a.epsilon, a.y.data + n * a.y.ld + first,
                  a.mean.data[n * a.mean.ld + g], a.rstd.data[n * a.rstd.ld + g]);
  }
}

void normalize_groups_grad(const GroupedLayerNormGrad& a, int64_t n) {
  for (int32_t g = 0; g < a.groups.count; ++g) {
    const int32_t first = a.groups[g].begin;
    normalize_row_grad(a.x.data + n * a.x.ld + first, a.dy.data + n * a.dy.ld + first,
                       a.groups[g].cols, a.gain.data + first, a.mean.data[n * a.mean.ld + g],
                       a.rstd.data[n * a.rstd.ld + g], a.beta_x, a.dx.data + n * a.dx.ld + first);
  }
}

void group_parameters(const GroupedLayerNormGrad& a, int64_t g) {
  const ColumnGroup& group = a.groups[static_cast<int32_t>(g)];
  for (int64_t c = 0; c < group.cols; c += kParameterBlock)
    normalize_parameter_grads(a.x, a.dy, group.begin + c, std::min(kParameterBlock, group.cols - c),
                              a.mean.data + g, a.rstd.data + g, a.mean.ld, a.beta_p, a.dgain.data,
                              a.dshift.data);
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {
constexpr int64_t kRowGrain = 32;
}

HWY_EXPORT(normalize_groups);
void grouped_layer_norm(CpuContext& context, const GroupedLayerNorm& a) {
  const auto row = HWY_DYNAMIC_DISPATCH(normalize_groups);
  context.parallel_ranges("grouped_layer_norm", a.x.rows, kRowGrain,
                          [&](int64_t begin, int64_t end) {
                            for (int64_t n = begin; n < end; ++n) row(a, n);
                          });
}

HWY_EXPORT(normalize_groups_grad);
HWY_EXPORT(group_parameters);
void grouped_layer_norm_grad(CpuContext& context, const GroupedLayerNormGrad& a) {
  const auto row = HWY_DYNAMIC_DISPATCH(normalize_groups_grad);
  const auto parameters = HWY_DYNAMIC_DISPATCH(group_parameters);
  context.enqueue("grouped_layer_norm_grad", [&] {
    if (a.dx.data != nullptr)
      context.pool().run((a.x.rows + kRowGrain - 1) / kRowGrain, [&](int64_t i) {
        for (int64_t n = i * kRowGrain; n < std::min(a.x.rows, (i + 1) * kRowGrain); ++n) row(a, n);
      });
    if (a.dgain.data == nullptr && a.dshift.data == nullptr) return;
    context.pool().run(a.groups.count, [&](int64_t g) { parameters(a, g); });
  });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
