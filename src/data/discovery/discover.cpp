// From features to categories; rules in tessera/discovery.h.

#include <algorithm>
#include <cctype>
#include <cmath>
#include <numeric>

#include "data/discovery/choose_cut.h"
#include "data/discovery/refine.h"
#include "tessera/discovery.h"
#include "tessera/error.h"
#include "tessera/kernels/permutation.h"

namespace tessera {
namespace {

using discovery::ChosenCut;
using discovery::CutRange;

constexpr int64_t kFewestFeatures = 3, kFewestRows = 3;

std::string lower_case(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// Families in the order of their first columns, each with its columns.
std::vector<Category> families_of(const FeatureMatrix& features) {
  std::vector<Category> families;
  for (int64_t i = 0; i < features.cols(); ++i) {
    auto found = std::ranges::find(families, features.families[i], &Category::name);
    if (found == families.end()) {
      families.push_back({features.families[i], {}});
      found = families.end() - 1;
    }
    found->features.push_back(i);
  }
  return families;
}

/// A sample of at most `most` of `rows`, in their order, as one matrix.
std::vector<float> sampled_rows(const FeatureMatrix& features, std::span<const int32_t> rows,
                                int64_t most, uint64_t seed) {
  std::vector<int32_t> sample(rows.begin(), rows.end());
  const auto all = static_cast<int64_t>(rows.size());
  if (all > most) {
    sample.resize(static_cast<size_t>(most));
    for (int64_t i = 0; i < most; ++i)
      sample[i] = rows[kernels::permuted_index(
          seed, kernels::kStreamSample, 1, static_cast<uint64_t>(i), static_cast<uint64_t>(all))];
    std::ranges::sort(sample);
  }
  const int64_t cols = features.cols();
  std::vector<float> values(sample.size() * static_cast<size_t>(cols));
  for (size_t i = 0; i < sample.size(); ++i)
    std::copy_n(features.values.data() + sample[i] * cols, cols, values.data() + i * cols);
  return values;
}

/// The correlation of a sample of the rows; how many it has goes to `used`.
SquareMatrix correlate_sample(const FeatureMatrix& features, std::span<const int32_t> rows,
                              int64_t most, uint64_t seed, Device device, int64_t& used) {
  const int64_t cols = features.cols();
  used = std::min(most, static_cast<int64_t>(rows.size()));
  const bool whole = used == features.rows && static_cast<int64_t>(rows.size()) == features.rows;
  if (whole) return correlation_matrix({features.values.data(), used, cols, cols}, device);
  const std::vector<float> values = sampled_rows(features, rows, most, seed);
  return correlation_matrix({values.data(), used, cols, cols}, device);
}

void require_usable(const FeatureMatrix& features, std::span<const int32_t> rows,
                    const SquareMatrix& correlation) {
  const int64_t cols = features.cols();
  for (int64_t i = 0; i < cols; ++i) {
    require(!std::isnan(correlation(i, i)), ErrorKind::Data, "feature ", features.names[i],
            ": holds NaN or infinities; let data.cleaning.enabled fill them, or name it in "
            "data.exclude_features");
    const float first = features.values[rows[0] * cols + i];
    const bool varies = std::ranges::any_of(
        rows, [&](int32_t row) { return features.values[row * cols + i] != first; });
    require(varies, ErrorKind::Data, "feature ", features.names[i], ": is ", first, " in all ",
            rows.size(),
            " rows; let data.cleaning.enabled remove it, or name it in "
            "data.exclude_features");
  }
}

/// Finds the categories of some columns; the state that all of them share.
class Discoverer {
 public:
  Discoverer(const FeatureMatrix& features, const CategoriesConfig& config, uint64_t seed,
             Device device, int64_t rows, CategoryDiscovery& result)
      : features_(features),
        config_(config),
        seed_(seed),
        device_(device),
        rows_(rows),
        result_(result) {}

  /// Clusters `columns` and adds their categories, named `prefix` + "cluster_<i>".
  void cluster(const std::string& family, const std::vector<int64_t>& columns) {
    const std::string prefix = family.empty() ? "" : family + "_";
    std::vector<int32_t> labels(columns.size(), 0);
    FeatureClustering clustering;
    clustering.family = family;
    if (columns.size() == 1) {
      clustering.features = columns;
      clustering.chosen.clusters = 1;
    } else {
      split_unrelated(columns, clustering);
      const std::vector<int32_t> cut = cut_related(clustering);
      size_t next = 0;
      for (size_t i = 0; i < columns.size(); ++i) {
        const bool is_related =
            next < clustering.features.size() && clustering.features[next] == columns[i];
        labels[i] = is_related ? cut[next++] : -1;
      }
      const SquareMatrix correlation = result_.correlation.part(columns);
      clustering.reassigned = discovery::dissolve_small(
          labels, feature_distances(correlation, config_.distance, rows_), config_.min_features);
    }
    result_.clusterings.push_back(std::move(clustering));
    int64_t number = 0;
    for (const std::vector<int64_t>& group : groups_of(labels, columns))
      add({prefix + "cluster_" + std::to_string(++number), group}, 0);
  }

 private:
  /// Divides the columns into those to cluster and those that correlate with none of the others.
  void split_unrelated(const std::vector<int64_t>& columns, FeatureClustering& clustering) const {
    const double pairs = static_cast<double>(columns.size() * (columns.size() - 1)) / 2;
    // Unrelated columns have |r| above t with probability below exp(-N t^2 / 2).
    clustering.chance_correlation =
        config_.chance_level > 0
            ? std::sqrt(2 * std::log(pairs / config_.chance_level) / static_cast<double>(rows_))
            : 0;
    for (const int64_t i : columns) {
      const bool is_related = std::ranges::any_of(columns, [&](int64_t j) {
        return i != j && std::abs(result_.correlation(i, j)) >= clustering.chance_correlation;
      });
      (is_related ? clustering.features : clustering.unrelated).push_back(i);
    }
    const int64_t needed =
        std::max(kFewestFeatures, config_.num_categories.value_or(config_.min_categories));
    if (static_cast<int64_t>(clustering.features.size()) >= needed) return;
    clustering.features = columns;
    clustering.unrelated.clear();
  }

  /// Clusters clustering.features; returns the cluster of each.
  std::vector<int32_t> cut_related(FeatureClustering& clustering) const {
    const SquareMatrix correlation = result_.correlation.part(clustering.features);
    ChosenCut cut = discovery::choose_cut(
        correlation, rows_, range_of(correlation.size, clustering.family), config_, seed_, device_);
    if (config_.cut_height) cut.clusters = clusters_at(cut.tree, *config_.cut_height);
    const SquareMatrix distances = feature_distances(correlation, config_.distance, rows_);
    clustering.chosen =
        score_cuts(cut.tree, correlation, distances, cut.clusters, cut.clusters).front();
    clustering.cut_height = height_of(cut);
    std::vector<int32_t> labels = cut_tree(cut.tree, cut.clusters);
    clustering.tree = std::move(cut.tree);
    clustering.scores = std::move(cut.scores);
    return labels;
  }

  /// What k_selection may choose for `size` features: as asked, but a family may be small.
  CutRange range_of(int64_t size, const std::string& family) const {
    if (config_.cut_height) return {1, 1};
    if (config_.num_categories) {
      require(*config_.num_categories <= size, ErrorKind::Config, "categories.num_categories is ",
              *config_.num_categories, ", there are ", size, " features; ask for at most ", size);
      return {*config_.num_categories, *config_.num_categories};
    }
    const int64_t limit = !family.empty() ? std::max<int64_t>(1, size / 2) : size;
    const int64_t least = std::min(config_.min_categories, limit);
    return {least, std::max(least, std::min(config_.max_categories, limit))};
  }

  static double height_of(const ChosenCut& cut) {
    const auto done = static_cast<int64_t>(cut.tree.size()) + 1 - cut.clusters;
    const double below = done > 0 ? cut.tree[done - 1].height : 0;
    const double above = cut.clusters > 1 ? cut.tree[done].height : below;
    return (below + above) / 2;
  }

  /// Columns by label, groups in the order of their first columns.
  static std::vector<std::vector<int64_t>> groups_of(const std::vector<int32_t>& labels,
                                                     const std::vector<int64_t>& columns) {
    std::vector<std::vector<int64_t>> groups;
    std::vector<int64_t> place(labels.size(), -1);
    for (size_t i = 0; i < labels.size(); ++i) {
      int64_t& at = place[labels[i]];
      if (at < 0) {
        at = static_cast<int64_t>(groups.size());
        groups.emplace_back();
      }
      groups[at].push_back(columns[i]);
    }
    return groups;
  }

  /// Adds the category, or its parts where it is too large.
  void add(Category category, int64_t depth) {
    const auto size = static_cast<int64_t>(category.features.size());
    const int64_t parts = std::min(config_.max_split_parts, size / config_.min_features);
    const bool splits = config_.max_category_size && size > *config_.max_category_size &&
                        depth < config_.max_split_depth && parts >= 2;
    if (!splits) {
      result_.categories.push_back(std::move(category));
      return;
    }
    const SquareMatrix correlation = result_.correlation.part(category.features);
    const ChosenCut cut =
        discovery::choose_cut(correlation, rows_, {2, parts}, config_, seed_, device_);
    std::vector<int32_t> labels = cut_tree(cut.tree, cut.clusters);
    discovery::dissolve_small(labels, feature_distances(correlation, config_.distance, rows_),
                              config_.min_features);
    const auto groups = groups_of(labels, category.features);
    if (groups.size() < 2) {
      result_.categories.push_back(std::move(category));
      return;
    }
    for (size_t i = 0; i < groups.size(); ++i)
      add({category.name + "_split_" + std::to_string(i + 1), groups[i]}, depth + 1);
  }

  const FeatureMatrix& features_;
  const CategoriesConfig& config_;
  uint64_t seed_;
  Device device_;
  int64_t rows_;
  CategoryDiscovery& result_;
};

bool by_gradient(const CategoriesConfig& config) {
  return config.method == "gradient" || config.method == "hybrid";
}

void check_keys(const CategoriesConfig& config) {
  require(config.method != "mapping" || !config.mapping_file.empty(), ErrorKind::Config,
          "categories.method is mapping, categories.mapping_file is not given; name a JSON file "
          "{category: [features]}");
  require(config.method == "auto" || config.method == "mapping" || config.mapping_file.empty(),
          ErrorKind::Config, "categories.method is ", config.method, ", categories.mapping_file ", config.mapping_file,
          " would not be read; leave one of them out");
  require(config.min_categories <= config.max_categories, ErrorKind::Config,
          "categories.min_categories is ", config.min_categories, ", max_categories ",
          config.max_categories, "; the first must not be above the second");
  require(!config.num_categories || !config.cut_height, ErrorKind::Config,
          "categories.num_categories and categories.cut_height both say where to cut; give one");
  require(!by_gradient(config) || (!config.per_family && config.isolated_families.empty()),
          ErrorKind::Config, "categories.method ", config.method,
          " moves features between all categories, per_family and isolated_families keep them apart; "
          "leave one of them out");
  require(
      !config.per_family || !config.num_categories, ErrorKind::Config,
      "categories.num_categories is for all features together, per_family clusters each family; "
      "give one of them");
}

/// Takes the isolated families out of `families` and into `categories`.
void isolate(const std::vector<std::string>& isolated, std::vector<Category>& families,
             std::vector<Category>& categories) {
  const auto is_isolated = [&](const std::string& family) {
    return std::ranges::any_of(
        isolated, [&](const std::string& name) { return lower_case(name) == lower_case(family); });
  };
  for (const std::string& name : isolated) {
    std::string known;
    for (const Category& family : families) known += (known.empty() ? "" : ", ") + family.name;
    require(std::ranges::any_of(families,
                                [&](const Category& family) {
                                  return lower_case(family.name) == lower_case(name);
                                }),
            ErrorKind::Config, "categories.isolated_families: ", name,
            " is not a family of the data; there are ", known);
  }
  for (const Category& family : families)
    if (is_isolated(family.name))
      categories.push_back({family.name + "_isolated", family.features});
  std::erase_if(families, [&](const Category& family) { return is_isolated(family.name); });
}

}  // namespace

CategoryDiscovery discover_categories(const FeatureMatrix& features, std::span<const int32_t> rows,
                                      const CategoriesConfig& config, uint64_t seed, Device device,
                                      const std::vector<std::string>& loaded) {
  check_keys(config);
  if (config.mapping_file.empty()) {
    require(features.cols() >= kFewestFeatures, ErrorKind::Data,
            "category discovery: ", features.cols(), " features are left; at least ",
            kFewestFeatures, " are needed, or a categories.mapping_file");
    require(static_cast<int64_t>(rows.size()) >= kFewestRows, ErrorKind::Data,
            "category discovery: ", rows.size(), " rows; at least ", kFewestRows,
            " are needed, or a categories.mapping_file");
  }
  CategoryDiscovery result;
  int64_t used = 0;
  result.correlation = correlate_sample(features, rows, config.max_samples, seed, device, used);
  require_usable(features, rows, result.correlation);
  if (!config.mapping_file.empty()) {
    result.categories =
        read_mapping(config.mapping_file, features.names, loaded.empty() ? features.names : loaded);
    return result;
  }
  if (config.method == "gradient") {
    discovery::refine_discovery(result, config, seed);
    return result;
  }
  std::vector<Category> families = families_of(features);
  isolate(config.isolated_families, families, result.categories);
  Discoverer discoverer(features, config, seed, device, used, result);
  if (config.per_family) {
    for (const Category& family : families) discoverer.cluster(family.name, family.features);
  } else if (!families.empty()) {
    std::vector<int64_t> columns;
    for (const Category& family : families)
      columns.insert(columns.end(), family.features.begin(), family.features.end());
    std::ranges::sort(columns);
    discoverer.cluster("", columns);
  }
  if (config.method == "hybrid") discovery::refine_discovery(result, config, seed);
  return result;
}

}  // namespace tessera
