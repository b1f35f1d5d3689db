#pragma once

#include <span>

#include "tessera/error.h"
#include "tessera/kernels/groups.h"
#include "tessera/kernels/gumbel.h"
#include "tessera/kernels/philox.h"
#include "tessera/kernels/step_state.h"
#include "tessera/kernels/views.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// Neighbouring features and the neighbouring categories they may belong to: a block of the
/// assignment [D, K]. One family of all features and all categories leaves every choice.
struct CategoryFamily {
  int32_t features, categories;
  int32_t feature_begin = 0;   // first row of the assignment
  int32_t category_begin = 0;  // first column

  struct Sizes {
    int64_t features = 0, categories = 0;
  };
  /// Places the families one after another.
  static Sizes pack(std::span<CategoryFamily> families) {
    Sizes sizes;
    for (CategoryFamily& family : families) {
      family.feature_begin = static_cast<int32_t>(sizes.features);
      family.category_begin = static_cast<int32_t>(sizes.categories);
      sizes.features += family.features;
      sizes.categories += family.categories;
    }
    return sizes;
  }

  static constexpr int kFeaturesPerTile = 8;
  enum Tiling { kByFeature, kTilings };
  static int32_t tiles(std::span<const CategoryFamily> all, size_t f, int) {
    return (all[f].features + kFeaturesPerTile - 1) / kFeaturesPerTile;
  }
  /// Families stand one after another, as pack places them: each row is of one, each column too.
  static void check(std::span<const CategoryFamily> all) {
    Sizes sizes;
    for (const CategoryFamily& family : all) {
      TESSERA_CHECK(family.features > 0 && family.categories > 0, "a family of ", family.features,
                    " features and ", family.categories, " categories; both must be positive");
      TESSERA_CHECK(
          family.feature_begin == sizes.features && family.category_begin == sizes.categories,
          "a family at feature ", family.feature_begin, ", category ", family.category_begin,
          "; the ones before it end at ", sizes.features, " and ", sizes.categories);
      sizes.features += family.features;
      sizes.categories += family.categories;
    }
  }
};

/// To which category each feature belongs, softly:
///
///   soft[i, k] = exp((P[i, k] + g[i, k]) / t) / sum_j exp((P[i, j] + g[i, j]) / t)
///   g[i, k]    = -ln(-ln u),  u = random_uniform(seed, kStreamGumbel, step, i K + k);  0 without noise
///   hard[i, k] = 1 for the first k with the largest soft[i, k], else 0
///
/// over the categories of i's family; exactly 0 for all others, whose logits are not read. Rows sum
/// to 1 within rounding. The largest score is taken off first (gumbel.h): no logit overflows.
///
/// soft below 2^-30 is 0. Its products with weights and gradients, and Adam's squares of those, would
/// be denormal numbers, which doubled the time of whole CPU steps at temperature 0.1; what Adam makes
/// of a gradient 2^-30 of a usual one, beside its epsilon of 1e-8, is nothing.
/// Source: Jang et al. 2017, "Categorical reparameterization with Gumbel-softmax", eq. (2).
struct CategoryAssignment {
  Groups<CategoryFamily> families = {};
  MatrixView<const real> logits = {};  // [D, K]
  const StepState* state = nullptr;    // for noise, and where temperature is 0
  MatrixView<real> soft = {};          // [D, K]  out
  MatrixView<real> hard = {};          // [D, K]  out, or empty
  real temperature = 0;                // t; 0: the state's
  bool noise = false;
};
void category_assignment(CpuContext&, const CategoryAssignment&);
void category_assignment(CudaContext&, const CategoryAssignment&);

/// The gradient through the softmax, of `hard` too (straight-through):
///
///   dP[i, k] = beta dP[i, k] + (1 / t) soft[i, k] (dA[i, k] - sum_j soft[i, j] dA[i, j])
///
/// over the categories of i's family; beta dP for all others.
struct CategoryAssignmentGrad {
  Groups<CategoryFamily> families;
  MatrixView<const real> soft, dassignment;  // [D, K]
  const StepState* state = nullptr;          // where temperature is 0
  MatrixView<real> dlogits;                  // [D, K]  out (in, out unless beta is 0)
  real temperature = 0, beta = 0;
};
void category_assignment_grad(CpuContext&, const CategoryAssignmentGrad&);
void category_assignment_grad(CudaContext&, const CategoryAssignmentGrad&);

/// A share of a row, 0 where it is negligible.
TESSERA_HD real share_of(real soft) { return soft < real(0x1p-30) ? real(0) : soft; }

template <class Args>
TESSERA_HD real temperature_of(const Args& a) {
  return a.temperature == 0 ? a.state->now.temperature : a.temperature;
}

/// g[i, k]
TESSERA_HD real assignment_noise(const CategoryAssignment& a, int64_t i, int64_t k) {
  if (!a.noise) return 0;
  const auto element = static_cast<uint64_t>(i * a.logits.cols + k);
  return real(
      gumbel_noise(double(random_uniform(a.state->seed, kStreamGumbel, a.state->step, element))));
}

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
