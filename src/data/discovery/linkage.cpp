// Agglomerative clustering by nearest-neighbour chains; contract in tessera/discovery.h.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "tessera/discovery.h"
#include "tessera/error.h"

namespace tessera {
namespace {

enum class Linkage { Ward, Average, Complete, Single };

Linkage linkage_of(std::string_view name) {
  if (name == "ward") return Linkage::Ward;
  if (name == "average") return Linkage::Average;
  if (name == "complete") return Linkage::Complete;
  require(name == "single", ErrorKind::Config, "categories.linkage is ", name,
          "; it must be one of ward, average, complete, single");
  return Linkage::Single;
}

/// Distances between the clusters that are left; a cluster stands where one of its features did.
class Clusters {
 public:
  Clusters(SquareMatrix distances, Linkage linkage)
      : distances_(std::move(distances)),
        linkage_(linkage),
        sizes_(distances_.size, 1),
        active_(distances_.size) {
    std::iota(active_.begin(), active_.end(), int64_t{0});
  }

  /// The nearest cluster to `s`: `preferred` (-1: none) where it is as near as any, else the first.
  int64_t nearest(int64_t s, int64_t preferred) const {
    const double* row = &distances_.values[s * distances_.size];
    double least = preferred >= 0 ? row[preferred] : std::numeric_limits<double>::infinity();
    int64_t best = preferred;
    for (const int64_t v : active_)
      if (v != s && row[v] < least) {
        least = row[v];
        best = v;
      }
    return best;
  }

  double distance(int64_t s, int64_t t) const { return distances_(s, t); }
  int64_t first() const { return active_.front(); }

  /// Joins s and t; the new cluster stands at t.
  void merge(int64_t s, int64_t t) {
    const int64_t size = distances_.size;
    const double between = distances_(s, t);
    double* row_s = &distances_.values[s * size];
    double* row_t = &distances_.values[t * size];
    active_.erase(std::ranges::lower_bound(active_, s));
    for (const int64_t v : active_)
      if (v != t)
        row_t[v] = distances_.values[v * size + t] = joined(s, t, v, row_s[v], row_t[v], between);
    sizes_[t] += sizes_[s];
  }

 private:
  /// The distance of v to the union of s and t.
  double joined(int64_t s, int64_t t, int64_t v, double to_s, double to_t, double between) const {
    const auto n = [&](int64_t cluster) { return static_cast<double>(sizes_[cluster]); };
    switch (linkage_) {
      case Linkage::Ward:
        return std::sqrt(
            ((n(v) + n(s)) * to_s * to_s + (n(v) + n(t)) * to_t * to_t - n(v) * between * between) /
            (n(s) + n(t) + n(v)));
      case Linkage::Average:
        return (n(s) * to_s + n(t) * to_t) / (n(s) + n(t));
      case Linkage::Complete:
        return std::max(to_s, to_t);
      case Linkage::Single:
        return std::min(to_s, to_t);
    }
    return 0;
  }

  SquareMatrix distances_;
  Linkage linkage_;
  std::vector<int64_t> sizes_;
  std::vector<int64_t> active_;  // ascending
};

/// Merges in the order of the chain: `left` and `right` are features of the two clusters.
std::vector<Merge> chain_merges(Clusters clusters, int64_t size) {
  std::vector<Merge> merges;
  std::vector<int64_t> chain;
  while (static_cast<int64_t>(merges.size()) + 1 < size) {
    if (chain.empty()) chain.push_back(clusters.first());
    // Each link is nearer than the one before, so the chain ends at two that are nearest to each other.
    for (;;) {
      const int64_t before = chain.size() > 1 ? chain[chain.size() - 2] : -1;
      const int64_t next = clusters.nearest(chain.back(), before);
      if (next == before) break;
      chain.push_back(next);
    }
    const int64_t s = chain.back();
    chain.pop_back();
    const int64_t t = chain.back();
    chain.pop_back();
    merges.push_back({s, t, clusters.distance(s, t), 0});
    clusters.merge(std::min(s, t), std::max(s, t));
  }
  return merges;
}

}  // namespace

std::vector<Merge> link_features(SquareMatrix distances, std::string_view linkage) {
  const int64_t size = distances.size;
  TESSERA_CHECK(std::ranges::all_of(distances.values, [](double d) { return std::isfinite(d); }),
                "link_features: a distance is not finite");
  std::vector<Merge> merges =
      chain_merges(Clusters(std::move(distances), linkage_of(linkage)), size);
  std::ranges::stable_sort(merges, {}, &Merge::height);
  // The chain knows clusters by a feature of theirs: follow each to the cluster it is in by now.
  std::vector<int64_t> parent(2 * std::max<int64_t>(size, 1) - 1), sizes(parent.size(), 1);
  std::iota(parent.begin(), parent.end(), int64_t{0});
  const auto root = [&](int64_t cluster) {
    while (parent[cluster] != cluster) cluster = parent[cluster] = parent[parent[cluster]];
    return cluster;
  };
  for (size_t i = 0; i < merges.size(); ++i) {
    const int64_t a = root(merges[i].left), b = root(merges[i].right);
    const int64_t made = size + static_cast<int64_t>(i);
    parent[a] = parent[b] = made;
    sizes[made] = sizes[a] + sizes[b];
    merges[i] = {std::min(a, b), std::max(a, b), merges[i].height, sizes[made]};
  }
  return merges;
}

std::vector<int32_t> cut_tree(const std::vector<Merge>& tree, int64_t clusters) {
  const int64_t size = static_cast<int64_t>(tree.size()) + 1;
  TESSERA_CHECK(clusters >= 1 && clusters <= size, "cut_tree: ", clusters, " clusters of ", size,
                " features");
  // From the top down: a cluster that no merge below the cut makes is one of its own.
  std::vector<int64_t> top(2 * size - 1);
  std::iota(top.begin(), top.end(), int64_t{0});
  for (int64_t i = size - clusters - 1; i >= 0; --i)
    top[tree[i].left] = top[tree[i].right] = top[size + i];
  std::vector<int32_t> number(2 * size - 1, -1), labels(size);
  int32_t found = 0;
  for (int64_t i = 0; i < size; ++i) {
    int32_t& own = number[top[i]];
    if (own < 0) own = found++;
    labels[i] = own;
  }
  return labels;
}

int64_t clusters_at(const std::vector<Merge>& tree, double height) {
  const auto above = std::ranges::upper_bound(tree, height, {}, &Merge::height);
  return tree.end() - above + 1;
}

std::vector<int64_t> leaf_order(const std::vector<Merge>& tree) {
  const int64_t size = static_cast<int64_t>(tree.size()) + 1;
  std::vector<int64_t> order, open = {2 * size - 2};
  while (!open.empty()) {
    const int64_t cluster = open.back();
    open.pop_back();
    if (cluster < size) {
      order.push_back(cluster);
      continue;
    }
    open.push_back(tree[cluster - size].right);
    open.push_back(tree[cluster - size].left);
  }
  return order;
}

}  // namespace tessera
