#pragma once

#include "tessera/discovery.h"

namespace tessera::discovery {

/// A tree over some features and the number of clusters chosen for it.
struct ChosenCut {
  std::vector<Merge> tree;
  std::vector<CutScore> scores;  ///< of the candidates; empty where nothing was chosen
  int64_t clusters = 0;
};

/// How many clusters may be chosen.
struct CutRange {
  int64_t least = 1, most = 1;
};

/// Clusters the features of `correlation`, which comes from `rows` rows, and chooses a cut in `range`
/// by config.k_selection. `seed` is that of the gap statistic's random data.
ChosenCut choose_cut(const SquareMatrix& correlation, int64_t rows, const CutRange& range,
                     const CategoriesConfig& config, uint64_t seed, Device device);

/// Dissolves the clusters of fewer than `min_features`: each of their features, and each with the
/// label -1, joins the remaining cluster with the least mean distance to it. Returns how many moved.
/// Where all are too small, the largest (the first of equals) stays.
int64_t dissolve_small(std::vector<int32_t>& labels, const SquareMatrix& distances,
                       int64_t min_features);

}  // namespace tessera::discovery
