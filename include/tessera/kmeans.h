#pragma once

#include <functional>

#include "tessera/tensor.h"

namespace tessera::inline TESSERA_PRECISION {

struct KmeansOptions {
  int64_t clusters = 512;
  int iterations = 25;         ///< Lloyd iterations after seeding; no early stop
  uint64_t seed = 0;
  uint64_t stream_step = 0;    ///< tells several runs with one seed apart
  std::function<void(int done, int of)> progress = {};  ///< called after each iteration
};

struct KmeansResult {
  Tensor centres;             ///< [clusters, cols], persistent
  std::vector<real> counts;   ///< rows nearest to each centre, by the final centres
  double mean_sq_dist = 0;    ///< mean over rows of the squared distance to the nearest centre
};

/// k-means++ seeding (one candidate per draw), then Lloyd iterations with the exact nearest-code
/// search. An empty cluster keeps its centre. Deterministic for any thread count.
///
/// rows     [N, cols], may be a window of a wider matrix
/// Throws Error (Config) where N < clusters.
/// Source: Lloyd 1982; Arthur and Vassilvitskii 2007.
KmeansResult kmeans(MatrixView<const real> rows, Device device, const KmeansOptions& options);

/// The seeding alone: [clusters, cols].
Tensor kmeans_plus_plus(MatrixView<const real> rows, Device device, const KmeansOptions& options);

/// One Lloyd iteration: `centres` move to the mean of their rows. Returns the counts of the
/// assignment it used and, where `mean_sq_dist` is not null, that assignment's error.
std::vector<real> lloyd_iteration(MatrixView<const real> rows, Tensor& centres,
                                  double* mean_sq_dist = nullptr, bool update = true);

}  // namespace tessera::inline TESSERA_PRECISION
