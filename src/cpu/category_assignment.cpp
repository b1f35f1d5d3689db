// Soft assignment of features to categories: contracts in tessera/kernels/category_assignment.h.
//
// Mapping    rows over the threads, one after another.
// Cost       D*K exponentials; with noise two logarithms in binary64 and a Philox evaluation each.
// Exactness  the formulas of gumbel.h, categories ascending.

#define HWY_TARGET_INCLUDE "cpu/category_assignment.cpp"
#include "cpu/simd_targets.h"
// First the targets, then all else.
#include <algorithm>
#include <vector>

#include "cpu/cpu_context.h"
#include "cpu/simd-inl.h"
#include "tessera/kernels/category_assignment.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

/// `noise` has room for the categories of the family.
void assign_row(const CategoryAssignment& a, const CategoryFamily& family, int64_t i, real* noise) {
  const int32_t first = family.category_begin, count = family.categories;
  for (int32_t k = 0; k < count; ++k) noise[k] = assignment_noise(a, i, first + k);
  real* soft = a.soft.data + i * a.soft.ld;
  std::fill_n(soft, a.soft.cols, real(0));
  gumbel_softmax_row(a.logits.data + i * a.logits.ld + first, noise, count, temperature_of(a),
                     soft + first);
  for (int32_t k = first; k < first + count; ++k) soft[k] = share_of(soft[k]);
  if (a.hard.data == nullptr) return;
  real* hard = a.hard.data + i * a.hard.ld;
  std::fill_n(hard, a.hard.cols, real(0));
  hard[first + hard_category(soft + first, count)] = 1;
}

/// `slope` has room for all categories.
void assign_row_grad(const CategoryAssignmentGrad& a, const CategoryFamily& family, int64_t i,
                     real* slope) {
  const int32_t first = family.category_begin;
  std::fill_n(slope, a.dlogits.cols, real(0));
  gumbel_softmax_row_grad(a.soft.data + i * a.soft.ld + first,
                          a.dassignment.data + i * a.dassignment.ld + first, family.categories,
                          temperature_of(a), slope + first);
  real* out = a.dlogits.data + i * a.dlogits.ld;
  for (int64_t k = 0; k < a.dlogits.cols; ++k)
    out[k] = a.beta == 0 ? slope[k] : a.beta * out[k] + slope[k];
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

/// Calls f(family, row, K reals to work in) for every row of the assignment.
template <class F>
void for_rows(CpuContext& context, const char* name, const Groups<CategoryFamily>& families,
              int64_t categories, F f) {
  context.parallel_for(name, families.tiles[CategoryFamily::kByFeature], [&](int64_t tile) {
    const GroupTile at =
        find_tile(families, CategoryFamily::kByFeature, static_cast<int32_t>(tile));
    const CategoryFamily& family = families[at.group];
    const int32_t begin = at.tile * CategoryFamily::kFeaturesPerTile,
                  end = std::min(family.features, begin + CategoryFamily::kFeaturesPerTile);
    std::vector<real> work(static_cast<size_t>(categories));
    for (int32_t i = begin; i < end; ++i) f(family, family.feature_begin + i, work.data());
  });
}

}  // namespace

HWY_EXPORT(assign_row);
void category_assignment(CpuContext& context, const CategoryAssignment& a) {
  const auto row = HWY_DYNAMIC_DISPATCH(assign_row);
  for_rows(context, "category_assignment", a.families, a.logits.cols,
           [&](const CategoryFamily& family, int64_t i, real* work) { row(a, family, i, work); });
}

HWY_EXPORT(assign_row_grad);
void category_assignment_grad(CpuContext& context, const CategoryAssignmentGrad& a) {
  const auto row = HWY_DYNAMIC_DISPATCH(assign_row_grad);
  for_rows(context, "category_assignment_grad", a.families, a.soft.cols,
           [&](const CategoryFamily& family, int64_t i, real* work) { row(a, family, i, work); });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
