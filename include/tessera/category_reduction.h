#pragma once

#include "tessera/category_assignment.h"
#include "tessera/tokenizer.h"

namespace tessera::inline TESSERA_PRECISION {

/// What a model is left with when categories are pruned and merged.
struct CategoryReduction {
  std::vector<int32_t> kept;    ///< category k was kept[k]; ascending
  std::vector<int32_t> became;  ///< of each old category: the new one it is part of; -1: pruned
  std::vector<int32_t> source;  ///< [features, new categories]: the old one whose logit is taken
};

/// Both plans as one step. Where categories are merged, a feature's logit is the largest of theirs:
/// every feature then is where the second plan says, and of a merged pair none loses what it had.
CategoryReduction reduce_by(std::span<const CategoryFamily> families, std::span<const real> logits,
                            const PruningPlan& pruning, const MergingPlan& merging);

/// Gives `to`, which is made for the categories kept of `from`, all that concerns them: parameters,
/// Adam's moments, codebooks with their statistics, the assignment; what belongs to no category as a
/// whole. The remaining values of `to` are as it was made (what lies between flat weights).
///
/// A feature that began in a category that is pruned has begun in none (LearnedAssignment::initial()
/// is -1); one of a merged category in that which took it in.
void keep_categories(Tokenizer& from, Tokenizer& to, const CategoryReduction& reduction);

}  // namespace tessera::inline TESSERA_PRECISION
