// The assignment folded into the first layer: contracts in tessera/kernels/routing_fold.h.
//
// Mapping    panels of 64 inputs of a category over the threads; rows of weights one after another.
// Cost       2 reads and 1 write of the weights forward, twice that backward: bound by memory.
// Exactness  products rounded once; sums over h in binary64, ascending.

#define HWY_TARGET_INCLUDE "cpu/routing_fold.cpp"
#include "cpu/simd_targets.h"
// First the targets, then all else.
#include <algorithm>

#include "cpu/cpu_context.h"
#include "cpu/simd-inl.h"
#include "tessera/kernels/routing_fold.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

constexpr int32_t kPanel = RoutedCategory::kPanel;

/// Some inputs of a category: their columns of W_k, and what A says of them.
struct Panel {
  int32_t begin, count;
  int32_t column[kPanel];
  real share[kPanel];
};
template <class Args>
Panel panel_of(const Args& a, const RoutedCategory& one, int32_t tile) {
  Panel panel;
  panel.begin = tile * kPanel;
  panel.count = std::min(kPanel, one.in - panel.begin);
  for (int32_t j = 0; j < panel.count; ++j) {
    const int32_t f = routed_feature(one, a.features, panel.begin + j);
    panel.column[j] = f - one.feature_begin;
    panel.share[j] = a.assignment.data[int64_t{f} * a.assignment.ld + one.category];
  }
  return panel;
}

void fold_panel(const RoutingFold& a, const RoutedCategory& one, int32_t tile) {
  const Panel panel = panel_of(a, one, tile);
  for (int32_t h = 0; h < one.out; ++h) {
    const real* w = a.weights.data + one.weight_begin + int64_t{h} * one.family_features;
    real* folded = a.folded.data + one.folded_begin + int64_t{h} * one.in + panel.begin;
    if (a.features.data == nullptr)  // neighbours: vectors
      for (int32_t j = 0; j < panel.count; ++j) folded[j] = panel.share[j] * w[panel.begin + j];
    else
      for (int32_t j = 0; j < panel.count; ++j) folded[j] = panel.share[j] * w[panel.column[j]];
  }
}

void fold_panel_grad(const RoutingFoldGrad& a, const RoutedCategory& one, int32_t tile) {
  const Panel panel = panel_of(a, one, tile);
  double sums[kPanel] = {};
  for (int32_t h = 0; h < one.out; ++h) {
    const int64_t row = one.weight_begin + int64_t{h} * one.family_features;
    const real* w = a.weights.data + row;
    const real* df = a.dfolded.data + one.folded_begin + int64_t{h} * one.in + panel.begin;
    if (a.dassignment.data != nullptr)
      for (int32_t j = 0; j < panel.count; ++j)
        sums[j] = std::fma(double(w[panel.column[j]]), double(df[j]), sums[j]);
    if (a.dweights.data == nullptr) continue;
    real* dw = a.dweights.data + row;
    for (int32_t j = 0; j < panel.count; ++j) {
      real& out = dw[panel.column[j]];
      out = a.beta_w == 0 ? panel.share[j] * df[j] : std::fma(panel.share[j], df[j], out);
    }
  }
  if (a.dassignment.data == nullptr) return;
  for (int32_t j = 0; j < panel.count; ++j) {
    const int64_t f = one.feature_begin + panel.column[j];
    real& out = a.dassignment.data[f * a.dassignment.ld + one.category];
    out = real(a.beta_a == 0 ? sums[j] : double(out) + sums[j]);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

template <class Args, class F>
void for_panels(CpuContext& context, const char* name, const Args& a, F f) {
  context.parallel_for(name, a.categories.tiles[RoutedCategory::kByPanel], [&](int64_t tile) {
    const GroupTile at =
        find_tile(a.categories, RoutedCategory::kByPanel, static_cast<int32_t>(tile));
    f(a, a.categories[at.group], at.tile);
  });
}

}  // namespace

HWY_EXPORT(fold_panel);
void routing_fold(CpuContext& context, const RoutingFold& a) {
  for_panels(context, "routing_fold", a, HWY_DYNAMIC_DISPATCH(fold_panel));
}

HWY_EXPORT(fold_panel_grad);
void routing_fold_grad(CpuContext& context, const RoutingFoldGrad& a) {
  for_panels(context, "routing_fold_grad", a, HWY_DYNAMIC_DISPATCH(fold_panel_grad));
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
