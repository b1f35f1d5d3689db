#pragma once

#include <cstdint>
#include <vector>

#include "tessera/discovery.h"

namespace tessera::discovery {

/// What refine_categories() came to.
struct Refinement {
  std::vector<int32_t> labels;  ///< of each feature, below `categories`; some may be empty
  double orthogonality = 0;     ///< of the labels found, and before
  double orthogonality_before = 0;
  int64_t epochs = 0;  ///< until the target was reached, or all
};

struct RefinementOptions {
  int64_t categories = 0;  ///< at least 2
  int64_t epochs = 500;
  double rate = 0.01;    ///< of Adam
  double target = 0.15;  ///< orthogonality at which it stops
  uint64_t seed = 0;
};

/// Moves features between categories by gradient, on standardised features whose correlations R
/// [D, D] say all that is needed:
///
///   A = softmax((P + g) / t) by rows, g Gumbel noise, t = max(0.5, 1 - 0.5 epoch / epochs)
///   orthogonality = mean over k != l of |S_kl| / sqrt(S_kk S_ll), S = A^T R A
///   information   = (1 / D) tr(M R M), M = A A^T - I: the mean of (X A A^T - X)^2
///
/// Adam on their sum over the logits P, which start at 5 for the given label and 0 elsewhere (-1: at
/// 0.1 times normal noise); the logits of the lowest sum win.
/// Source: the customer's reference, section 3.9 of its description.
Refinement refine_categories(const SquareMatrix& correlation, const std::vector<int32_t>& labels,
                             const RefinementOptions& options);

/// The two terms of a given A [D, K], row-major, and their gradient where `gradient` is given.
struct RefinementTerms {
  double orthogonality = 0, information = 0;
};
RefinementTerms refinement_terms(const SquareMatrix& correlation, const std::vector<double>& shares,
                                 int64_t categories, std::vector<double>* gradient);

/// What categories.method asks for: hybrid refines the categories of `result`, gradient finds
/// num_categories of them (10 where that is not given) from random logits. Empty ones are left out.
void refine_discovery(CategoryDiscovery& result, const CategoriesConfig& config, uint64_t seed);

}  // namespace tessera::discovery
