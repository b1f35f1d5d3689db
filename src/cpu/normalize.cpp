#define HWY_TARGET_INCLUDE "cpu/normalize.cpp"
#include "tessera/kernels/normalize.h"

#include <algorithm>

#include "cpu/cpu_context.h"
#include "cpu/layer_norm-inl.h"
#include "cpu/simd-inl.h"
#include "cpu/simd_targets.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

void layer_norm_row(const LayerNorm& a, int64_t n) {
  normalize_row(a.x.data + n * a.x.ld, a.x.cols, a.gain.data, a.shift.data, a.epsilon,
                a.y.data + n * a.y.ld, a.mean.data[n], a.rstd.data[n]);
}

void layer_norm_grad_row(const LayerNormGrad& a, int64_t n) {
  normalize_row_grad(a.x.data + n * a.x.ld, a.dy.data + n * a.dy.ld, a.x.cols, a.gain.data,
                     a.mean.data[n], a.rstd.data[n], a.beta_x, a.dx.data + n * a.dx.ld);
}

void layer_norm_parameters(const LayerNormGrad& a, int64_t first, int64_t last) {
  normalize_parameter_grads(a.x, a.dy, first, last - first, a.mean.data, a.rstd.data, 1, a.beta_p,
                            a.dgain.data, a.dshift.data);
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {
constexpr int64_t kRowGrain = 64;
constexpr int64_t kParameterGrain = 64;  // at most kParameterBlock
}  // namespace

HWY_EXPORT(layer_norm_row);
void layer_norm(CpuContext& context, const LayerNorm& a) {
  const auto row = HWY_DYNAMIC_DISPATCH(layer_norm_row);
  context.parallel_ranges("layer_norm", a.x.rows, kRowGrain, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) row(a, n);
  });
}

HWY_EXPORT(layer_norm_grad_row);
HWY_EXPORT(layer_norm_parameters);
void layer_norm_grad(CpuContext& context, const LayerNormGrad& a) {
  const auto row = HWY_DYNAMIC_DISPATCH(layer_norm_grad_row);
  const auto parameters = HWY_DYNAMIC_DISPATCH(layer_norm_parameters);
  context.enqueue("layer_norm_grad", [&] {
    if (a.dx.data != nullptr)
      context.pool().run((a.x.rows + kRowGrain - 1) / kRowGrain, [&](int64_t i) {
        for (int64_t n = i * kRowGrain; n < std::min(a.x.rows, (i + 1) * kRowGrain); ++n) row(a, n);
      });
    if (a.dgain.data == nullptr && a.dshift.data == nullptr) return;
    context.pool().run((a.x.cols + kParameterGrain - 1) / kParameterGrain, [&](int64_t i) {
      parameters(a, i * kParameterGrain, std::min(a.x.cols, (i + 1) * kParameterGrain));
    });
  });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
