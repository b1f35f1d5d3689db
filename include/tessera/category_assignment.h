#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "tessera/assignment_ops.h"

namespace tessera::inline TESSERA_PRECISION {

// What the host asks and decides about learned categories, between epochs. Assignments and logits are
// [features, categories] row-major; a hard assignment is the category of each feature.

/// +confidence at the category of each feature, -confidence at the others; -1: no category, all alike.
/// Logits outside a feature's family are 0 and never read.
/// Throws Error (Data) for a category that is not of the feature's family.
std::vector<real> initial_logits(std::span<const CategoryFamily> families,
                                 std::span<const int32_t> category_of, double confidence = 2);

/// scale N(0, 1), the same on every machine.
std::vector<real> random_logits(std::span<const CategoryFamily> families, uint64_t seed,
                                double scale = 0.1);

/// softmax(logits / temperature) over each feature's family, without noise. At temperature 1 it is
/// also the probability that each category wins when Gumbel noise is on, at any temperature.
std::vector<real> soft_assignment(std::span<const CategoryFamily> families,
                                  std::span<const real> logits, double temperature = 1);

/// The category of the largest value of each row within its family, the first of equals; of logits
/// or of an assignment.
std::vector<int32_t> hard_assignment(std::span<const CategoryFamily> families,
                                     std::span<const real> values);

/// c_k = sum_i A[i, k].
std::vector<double> category_masses(std::span<const real> assignment, int64_t categories);

/// Mean over features of (-sum_k A ln A) / ln(categories of the family): 1 for even rows, 0 for
/// one-hot ones and in families of one category.
double normalized_entropy(std::span<const CategoryFamily> families,
                          std::span<const real> assignment);

/// Which features each category reads where shares below `threshold` are left out: ascending, at
/// least the feature with the largest share. For RoutingTable; with threshold 0, all of the family.
/// Give soft_assignment(logits, 1) where there is noise: what is then left out is never drawn by
/// more than `threshold` of the steps.
std::vector<std::vector<int32_t>> active_features(std::span<const CategoryFamily> families,
                                                  std::span<const real> assignment,
                                                  double threshold = 1e-4);

/// The first category that has all features of a family of two features and two categories or more.
std::optional<int32_t> collapsed_category(std::span<const CategoryFamily> families,
                                          std::span<const int32_t> category_of);

/// (R - d d^T / M) / M for modularity(): R = |r| with 0 on the diagonal and for what is not a number,
/// d its row sums, M their sum; all 0 where nothing correlates.
///
/// correlations  [features, features], symmetric
/// Source: Newman 2006, "Modularity and community structure in networks", equation 3.
std::vector<real> modularity_matrix(std::span<const double> correlations, int64_t features);

/// For features that are related otherwise than linearly: from the correlations [2 D, 2 D] of the
/// features x followed by their squares y = standardised x^2, the [D, D] of the largest
/// |r(x_i, x_j)|, |r(x_i, y_j)|, |r(y_i, x_j)|, |r(y_i, y_j)|.
std::vector<double> strongest_correlations(std::span<const double> correlations, int64_t features);

/// Agreement of two partitions of the same features, corrected for chance: 1 for equal ones, about 0
/// for independent ones. Source: Hubert and Arabie 1985, equation 5.
double adjusted_rand_index(std::span<const int32_t> a, std::span<const int32_t> b);

/// What learning did to categories that began with known errors.
struct AssignmentRepair {
  int64_t misplaced = 0, repaired = 0;  ///< began outside the majority of their block; came home
  int64_t right = 0, broken = 0;        ///< began within it; ended elsewhere
};
/// A block's home is where most of those of its features end that began in its most frequent
/// category (ties: the lowest). Features of block -1 are not counted.
AssignmentRepair count_repairs(std::span<const int32_t> block_of, std::span<const int32_t> before,
                               std::span<const int32_t> after);

/// Features whose category differs.
int64_t changed_features(std::span<const int32_t> before, std::span<const int32_t> after);

/// Categories to be given up, and where their features go.
struct PruningPlan {
  std::vector<int32_t> removed;      ///< in the order of removal
  std::vector<int32_t> category_of;  ///< of each feature afterwards
  /// Of each removed one: the category that each of its features went to then.
  std::vector<std::vector<int32_t>> joined = {};
};
struct PruningOptions {
  int64_t min_features = 5;
  double min_usefulness = 0;  ///< of a category, where usefulness is given
};
/// Repeatedly removes the category with the fewest features, of those with fewer than min_features or
/// a usefulness below min_usefulness (of equals the last one); each of its features moves to the
/// category with its next best logit. The last category of a family stays.
///
/// usefulness  [categories], in any unit, or empty
PruningPlan plan_pruning(std::span<const CategoryFamily> families, std::span<const real> logits,
                         const PruningOptions& options, std::span<const double> usefulness = {});

/// Categories to be joined: the second of a pair goes into the first.
struct MergingPlan {
  struct Pair {
    int32_t kept, absorbed;
    double likeness;
  };
  std::vector<Pair> pairs;           ///< in the order of merging
  std::vector<int32_t> category_of;  ///< of each feature afterwards
};
/// Repeatedly joins the two categories of a family that are most alike, while their likeness
///
///   mean |r| between them / min(mean |r| within the one, within the other)
///
/// is at least `threshold`. Within a single feature |r| is 1; empty categories are passed over.
///
/// correlations  [features, features]
MergingPlan plan_merging(std::span<const CategoryFamily> families,
                         std::span<const int32_t> category_of, std::span<const double> correlations,
                         double threshold = 0.6);

}  // namespace tessera::inline TESSERA_PRECISION
