// Scores of the cuts of a tree; formulas in tessera/discovery.h.
//
// Cost       the finest cut takes D^2; from there each merge adds two columns of sums, so that all cuts
//            together take O(D K^2).

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tessera/discovery.h"
#include "tessera/error.h"

namespace tessera {
namespace {

/// Sums over the clusters of one cut, and of those above it merge by merge. A cluster keeps a slot.
class CutSums {
 public:
  CutSums(const std::vector<Merge>& tree, const SquareMatrix& correlation,
          const SquareMatrix& distances, int64_t clusters)
      : tree_(tree),
        size_(distances.size),
        slots_(clusters),
        next_merge_(size_ - clusters),
        own_(cut_tree(tree, clusters)),
        counts_(clusters),
        degrees_(clusters),
        squares_(clusters * clusters),
        weights_(clusters * clusters),
        distances_to_(size_ * clusters),
        live_(clusters) {
    std::iota(live_.begin(), live_.end(), int64_t{0});
    for (int64_t i = 0; i < size_; ++i) {
      const int64_t a = own_[i];
      ++counts_[a];
      for (int64_t j = 0; j < size_; ++j) {
        if (i == j) continue;
        const int64_t b = own_[j];
        const double distance = distances(i, j), weight = std::abs(correlation(i, j));
        distances_to_[i * slots_ + b] += distance;
        squares_[a * slots_ + b] += distance * distance;
        weights_[a * slots_ + b] += weight;
        degrees_[a] += weight;
      }
    }
    total_ = std::accumulate(degrees_.begin(), degrees_.end(), 0.0);
    // Where the clusters of the tree stand: that of each feature, then those of the merges below.
    slot_of_.assign(2 * size_ - 1, -1);
    std::copy(own_.begin(), own_.end(), slot_of_.begin());
    for (int64_t i = 0; i < next_merge_; ++i) slot_of_[size_ + i] = slot_of_[tree[i].left];
  }

  CutScore score() const {
    return {static_cast<int64_t>(live_.size()), modularity(), silhouette(), dispersion()};
  }

  /// Does the next merge of the tree.
  void merge() {
    const Merge& next = tree_[next_merge_];
    const int64_t a = slot_of_[next.left], b = slot_of_[next.right];
    slot_of_[size_ + next_merge_++] = a;
    for (int64_t i = 0; i < size_; ++i) {
      distances_to_[i * slots_ + a] += distances_to_[i * slots_ + b];
      if (own_[i] == b) own_[i] = static_cast<int32_t>(a);
    }
    for (std::vector<double>* pairs : {&squares_, &weights_}) {
      for (int64_t c = 0; c < slots_; ++c) (*pairs)[a * slots_ + c] += (*pairs)[b * slots_ + c];
      for (int64_t c = 0; c < slots_; ++c) (*pairs)[c * slots_ + a] += (*pairs)[c * slots_ + b];
    }
    degrees_[a] += degrees_[b];
    counts_[a] += counts_[b];
    live_.erase(std::ranges::find(live_, b));
  }

 private:
  double modularity() const {
    if (total_ == 0) return 0;
    double sum = 0;
    for (const int64_t c : live_) {
      const double degree = degrees_[c] / total_;
      sum += weights_[c * (slots_ + 1)] / total_ - degree * degree;
    }
    return sum;
  }

  double silhouette() const {
    double sum = 0;
    for (int64_t i = 0; i < size_; ++i) {
      const int64_t own = own_[i];
      if (counts_[own] < 2) continue;
      const double* to = &distances_to_[i * slots_];
      const double a = to[own] / static_cast<double>(counts_[own] - 1);
      double b = std::numeric_limits<double>::infinity();
      for (const int64_t c : live_)
        if (c != own) b = std::min(b, to[c] / static_cast<double>(counts_[c]));
      if (live_.size() > 1 && std::max(a, b) > 0) sum += (b - a) / std::max(a, b);
    }
    return sum / static_cast<double>(size_);
  }

  double dispersion() const {
    double sum = 0;
    for (const int64_t c : live_)
      sum += squares_[c * (slots_ + 1)] / (2 * static_cast<double>(counts_[c]));
    return sum;
  }

  const std::vector<Merge>& tree_;
  int64_t size_, slots_, next_merge_;
  std::vector<int32_t> own_;  // slot of each feature
  std::vector<int64_t> counts_;
  std::vector<double> degrees_;
  std::vector<double> squares_, weights_;  // [slots, slots] sums over ordered pairs
  std::vector<double> distances_to_;       // [features, slots]
  std::vector<int64_t> live_;              // slots in use
  std::vector<int64_t> slot_of_;           // of each cluster of the tree
  double total_ = 0;
};

}  // namespace

std::vector<CutScore> score_cuts(const std::vector<Merge>& tree, const SquareMatrix& correlation,
                                 const SquareMatrix& distances, int64_t least, int64_t most) {
  TESSERA_CHECK(least >= 1 && least <= most && most <= distances.size, "score_cuts: ", least,
                " to ", most, " clusters of ", distances.size, " features");
  CutSums sums(tree, correlation, distances, most);
  std::vector<CutScore> scores = {sums.score()};
  for (int64_t clusters = most - 1; clusters >= least; --clusters) {
    sums.merge();
    scores.push_back(sums.score());
  }
  std::ranges::reverse(scores);
  return scores;
}

}  // namespace tessera
