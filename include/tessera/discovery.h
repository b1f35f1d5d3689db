#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/config.h"
#include "tessera/device.h"
#include "tessera/feature_matrix.h"
#include "tessera/kernels/views.h"

namespace tessera {

/// Numbers between features, symmetric.
struct SquareMatrix {
  int64_t size = 0;
  std::vector<double> values;  ///< [size, size], row-major

  double operator()(int64_t i, int64_t j) const { return values[i * size + j]; }
  /// Rows and columns `members`, in that order.
  SquareMatrix part(std::span<const int64_t> members) const;
};

/// Pearson correlation of the columns of `rows` (host memory), computed on `device` in binary64.
/// kernels/correlation.h has the formula; a column that holds a NaN has NaN on the diagonal, a
/// constant one 0 beside it.
SquareMatrix correlation_matrix(MatrixView<const float> rows, Device device = {});

/// Distances between standardised features of `rows` rows each:
///   correlation   1 - |r|
///   cosine        1 - r
///   euclidean     sqrt(2 rows (1 - r))
SquareMatrix feature_distances(const SquareMatrix& correlation, std::string_view distance,
                               int64_t rows);

/// A join of two clusters. Features are clusters 0 to D - 1, merge i makes cluster D + i.
struct Merge {
  int64_t left = 0, right = 0;  ///< left < right
  double height = 0;
  int64_t size = 0;  ///< features of the new cluster
  bool operator==(const Merge&) const = default;
};

/// Agglomerative clustering: the D - 1 merges, heights ascending, O(D^2) time and memory.
/// `linkage` is ward, average, complete or single; distances after a merge of s and t follow Lance
/// and Williams. Ward takes the distances as if they were Euclidean.
/// Source: nearest-neighbour chains, Murtagh 1985; Muellner 2011, "Modern hierarchical, agglomerative
/// clustering algorithms", sections 2.4 and 3.1.
std::vector<Merge> link_features(SquareMatrix distances, std::string_view linkage);

/// The cluster of each feature where `clusters` are left, counted from 0 in the order of their first
/// features.
std::vector<int32_t> cut_tree(const std::vector<Merge>& tree, int64_t clusters);
/// How many clusters are left after all merges of at most `height`.
int64_t clusters_at(const std::vector<Merge>& tree, double height);
/// Features from left to right such that no branches of the drawn tree cross.
std::vector<int64_t> leaf_order(const std::vector<Merge>& tree);

/// How good a cut is.
///
///   modularity  sum_c (W_cc / M - (d_c / M)^2), W = |r| with 0 on the diagonal, W_cc its sum inside
///               c, d_c the sum of its rows in c, M its sum. Source: Newman 2006, "Modularity and
///               community structure in networks", with |r| for edges.
///   silhouette  mean over features of (b - a) / max(a, b), a the mean distance to the others of the
///               own cluster, b the least mean distance to another cluster; 0 for a feature alone.
///               Source: Rousseeuw 1987.
///   dispersion  sum_c (1 / 2 n_c) sum_ij d_ij^2 inside c: for Euclidean distances the squared
///               distances to the means. Source: Tibshirani, Walther and Hastie 2001, equation 2.
struct CutScore {
  int64_t clusters = 0;
  double modularity = 0, silhouette = 0, dispersion = 0;
};
/// The scores of the cuts of `tree` into `least` to `most` clusters.
std::vector<CutScore> score_cuts(const std::vector<Merge>& tree, const SquareMatrix& correlation,
                                 const SquareMatrix& distances, int64_t least, int64_t most);

/// Features that are quantized together.
struct Category {
  std::string name;
  std::vector<int64_t> features;  ///< columns, ascending
  bool operator==(const Category&) const = default;
};

/// One clustering that categories come from: of all features, or of one family.
struct FeatureClustering {
  std::string family;              ///< empty: of all features
  std::vector<int64_t> features;   ///< columns; feature i of the tree is features[i]
  std::vector<int64_t> unrelated;  ///< columns that correlate with no other, outside the tree
  double chance_correlation = 0;   ///< |r| below which that is said
  std::vector<Merge> tree;
  std::vector<CutScore> scores;  ///< empty where there was nothing to choose
  CutScore chosen;               ///< the cut, before small clusters are dissolved
  double cut_height = 0;         ///< between the last merge done and the first not done
  int64_t reassigned = 0;        ///< unrelated features, and those of clusters that were too small
};

struct CategoryDiscovery {
  std::vector<Category> categories;  ///< every column is in exactly one
  std::vector<FeatureClustering> clusterings;
  SquareMatrix correlation;
};

/// Finds the categories of `features` from `rows` (row numbers; at most max_samples of them, drawn
/// by `seed`), as tessera/config.h says key by key.
///
/// Isolated families come first, as "<family>_isolated", in the order of the columns; then clusters
/// in the order of their first features, "cluster_1", "cluster_2", ... (per family
/// "<family>_cluster_1", ...). A feature whose |r| with all others is below
/// sqrt(2 ln(P / chance_level) / N), P the number of pairs and N that of rows, is left out of the
/// clustering: by chance alone not even one of all pairs would reach it, but with probability
/// chance_level. Such features merge with each other and with small clusters and so displace the cut.
/// It joins a cluster afterwards like one of a small cluster. (Fewer than min_categories or
/// num_categories other features: all are clustered.) A cluster of fewer than min_features is dissolved: each of its
/// features joins the cluster with the least mean distance to it. A category above
/// max_category_size is clustered again on its own; its parts "<name>_split_1", ... take its place.
///
/// k_selection: modularity and silhouette take the highest score, the smaller K of equals; elbow the
/// K where the dispersion bends most (largest second difference); gap the first K whose
/// gap(K) >= gap(K+1) - s(K+1) against uniform data, after Tibshirani et al. 2001.
///
/// With a mapping file there is no clustering: read_mapping says what it holds. `loaded` are the names
/// before cleaning; empty: those of `features`.
///
/// Throws Error: Data naming a feature that is constant or holds a NaN, for fewer than 3 features or
/// rows and what a mapping file has wrong; Config for keys that contradict each other or the data.
CategoryDiscovery discover_categories(const FeatureMatrix& features, std::span<const int32_t> rows,
                                      const CategoriesConfig& config, uint64_t seed,
                                      Device device = {},
                                      const std::vector<std::string>& loaded = {});

/// The categories of a mapping file, JSON {"<category>": [feature, ...], ...}, in its order. A
/// feature is a name, or a column number among `loaded`, the names before cleaning; those that
/// cleaning took out are passed over.
/// Throws Error (Data): a feature that is unknown, in two categories or in none, an empty category.
std::vector<Category> read_mapping(const std::string& path,
                                   const std::vector<std::string>& features,
                                   const std::vector<std::string>& loaded);

/// A mapping file of the categories, by feature names.
std::string mapping_json(const std::vector<Category>& categories,
                         const std::vector<std::string>& features);

/// How well a category stands apart; means are of |r| over pairs of features.
struct CategorySeparation {
  std::string name;
  int64_t features = 0;
  double within = 1;                  ///< 1 for a feature alone
  double between = 0;                 ///< to the features of all other categories
  int64_t inside = -1, outside = -1;  ///< the pair with the largest |r| across the border; -1: none
  double worst = 0;                   ///< its |r|
};
struct Separation {
  std::vector<CategorySeparation> categories;
  double within = 0, between = 0;   ///< means over the categories, weighted by features
  int64_t first = -1, second = -1;  ///< the two categories with the largest mean |r|; -1: one only
  double worst = 0;                 ///< their mean |r|
};
Separation separation_of(const std::vector<Category>& categories, const SquareMatrix& correlation);

}  // namespace tessera
