#include "tessera/discovery.h"

#include <cmath>
#include <numeric>

#include "data/file_fixture.h"
#include "data/planted_features.h"
#include "tessera/category_assignment.h"
#include "testing/determinism.h"

namespace tessera {
namespace {

using testing::all_rows;
using testing::features_of;
using testing::Planted;
using testing::planted_features;

SquareMatrix symmetric(int64_t size, const std::vector<double>& above) {
  SquareMatrix matrix{size, std::vector<double>(size * size)};
  size_t next = 0;
  for (int64_t i = 0; i < size; ++i)
    for (int64_t j = i + 1; j < size; ++j)
      matrix.values[i * size + j] = matrix.values[j * size + i] = above[next++];
  return matrix;
}

/// An Error of `kind` whose sentence contains `part`.
template <class F>
void expect_error(ErrorKind kind, const std::string& part, F&& f) {
  try {
    f();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    return;
  }
  ADD_FAILURE() << "no error; '" << part << "' is expected";
}

/// `groups` of features, each a sum of its group's latent and a little noise.
FeatureMatrix grouped(const std::vector<int>& groups, const std::vector<std::string>& names,
                      int64_t rows = 500) {
  const int count = *std::max_element(groups.begin(), groups.end()) + 1;
  std::vector<std::vector<float>> latents, columns;
  for (int g = 0; g < count; ++g) latents.push_back(testing::normal<float>(rows, 100 + g));
  for (size_t i = 0; i < groups.size(); ++i) {
    columns.push_back(testing::normal<float>(rows, 200 + i));
    for (int64_t n = 0; n < rows; ++n) columns[i][n] = latents[groups[i]][n] + 0.3f * columns[i][n];
  }
  return features_of(names, columns);
}

std::vector<std::string> numbered(size_t count, const std::string& family = "f") {
  std::vector<std::string> names;
  for (size_t i = 0; i < count; ++i) names.push_back(family + '/' + std::to_string(i));
  return names;
}

CategoryDiscovery discover(const FeatureMatrix& features, const CategoriesConfig& config = {}) {
  return discover_categories(features, all_rows(features.rows), config, 0);
}

using Columns = std::vector<int64_t>;

TEST(LinkageTest, FourPointsByHand) {
  // 0 and 1 are 1 apart, 2 and 3 are 2 apart, the pairs 4 to 7.
  const SquareMatrix distances = symmetric(4, {1, 4, 5, 6, 7, 2});
  EXPECT_EQ(link_features(distances, "single"),
            (std::vector<Merge>{{0, 1, 1, 2}, {2, 3, 2, 2}, {4, 5, 4, 4}}));
  EXPECT_EQ(link_features(distances, "complete").back().height, 7);
  EXPECT_EQ(link_features(distances, "average").back().height, 5.5);
}

TEST(LinkageTest, OneFeatureHasNoMerges) {
  EXPECT_TRUE(link_features(symmetric(1, {}), "ward").empty());
}

TEST(CutTest, ClustersAreNumberedByTheirFirstFeature) {
  const std::vector<Merge> tree = {{1, 3, 1, 2}, {0, 2, 2, 2}, {4, 5, 3, 4}};
  EXPECT_EQ(cut_tree(tree, 4), (std::vector<int32_t>{0, 1, 2, 3}));
  EXPECT_EQ(cut_tree(tree, 3), (std::vector<int32_t>{0, 1, 2, 1}));
  EXPECT_EQ(cut_tree(tree, 2), (std::vector<int32_t>{0, 1, 0, 1}));
  EXPECT_EQ(cut_tree(tree, 1), (std::vector<int32_t>{0, 0, 0, 0}));
}

TEST(CutTest, AHeightIncludesMergesAtIt) {
  const std::vector<Merge> tree = {{1, 3, 1, 2}, {0, 2, 2, 2}, {4, 5, 3, 4}};
  EXPECT_EQ(clusters_at(tree, 0.5), 4);
  EXPECT_EQ(clusters_at(tree, 2), 2);
  EXPECT_EQ(clusters_at(tree, 9), 1);
}

TEST(CutScoreTest, MatchesItsFormulas) {
  const Planted planted = planted_features(3, 300);
  const SquareMatrix r = correlation_matrix({planted.features.values.data(), 300, 132, 132});
  const SquareMatrix d = feature_distances(r, "correlation", 300);
  const std::vector<Merge> tree = link_features(d, "ward");
  for (const CutScore& score : score_cuts(tree, r, d, 1, 12)) {
    const std::vector<int32_t> labels = cut_tree(tree, score.clusters);
    std::vector<double> inside(score.clusters), degree(score.clusters), squares(score.clusters),
        counts(score.clusters);
    double all = 0;
    for (int64_t i = 0; i < 132; ++i) {
      ++counts[labels[i]];
      for (int64_t j = 0; j < 132; ++j) {
        const double weight = i == j ? 0 : std::abs(r(i, j));
        all += weight;
        degree[labels[i]] += weight;
        if (labels[i] != labels[j]) continue;
        inside[labels[i]] += weight;
        squares[labels[i]] += d(i, j) * d(i, j);
      }
    }
    double modularity = 0, dispersion = 0;
    for (int64_t c = 0; c < score.clusters; ++c) {
      modularity += inside[c] / all - degree[c] / all * (degree[c] / all);
      dispersion += squares[c] / (2 * counts[c]);
    }
    EXPECT_NEAR(score.modularity, modularity, 1e-12);
    EXPECT_NEAR(score.dispersion, dispersion, 1e-10);
  }
}

class PlantedTest : public ::testing::TestWithParam<unsigned> {
 protected:
  /// Agreement with the planted blocks; noise features do not count.
  static double agreement(const Planted& planted, const CategoryDiscovery& found) {
    std::vector<int> label(planted.block.size(), -1), left, right;
    for (size_t c = 0; c < found.categories.size(); ++c)
      for (const int64_t i : found.categories[c].features) label[i] = static_cast<int>(c);
    for (size_t i = 0; i < label.size(); ++i) {
      EXPECT_GE(label[i], 0) << "feature " << i << " has no category";
      if (planted.block[i] < 0) continue;
      left.push_back(planted.block[i]);
      right.push_back(label[i]);
    }
    return adjusted_rand_index(left, right);
  }
};
INSTANTIATE_TEST_SUITE_P(Seeds, PlantedTest, ::testing::Range(0u, 5u));

TEST_P(PlantedTest, AGivenNumberFindsTheBlocks) {
  const Planted planted = planted_features(GetParam());
  const CategoryDiscovery found = discover(planted.features, {.num_categories = 8});
  EXPECT_EQ(found.categories.size(), 8u);
  EXPECT_GE(agreement(planted, found), 0.95);
}

TEST_P(PlantedTest, ModularityFindsTheBlocks) {
  const Planted planted = planted_features(GetParam());
  const CategoryDiscovery found = discover(planted.features);
  EXPECT_GE(agreement(planted, found), 0.95) << found.categories.size() << " categories";
}

TEST_P(PlantedTest, SilhouetteIsReported) {
  const Planted planted = planted_features(GetParam());
  const CategoryDiscovery found = discover(planted.features, {.k_selection = "silhouette"});
  std::printf("silhouette: K = %lld, adjusted Rand index %.3f\n",
              static_cast<long long>(found.clusterings[0].chosen.clusters),
              agreement(planted, found));
  EXPECT_GE(found.clusterings[0].chosen.silhouette, found.clusterings[0].scores[6].silhouette);
}

TEST(DiscoveryTest, EveryNoiseFeatureIsSeenAsUnrelated) {
  const Planted planted = planted_features(1);
  const CategoryDiscovery found = discover(planted.features);
  std::vector<int64_t> noise;
  for (size_t i = 0; i < planted.block.size(); ++i)
    if (planted.block[i] < 0) noise.push_back(static_cast<int64_t>(i));
  EXPECT_EQ(found.clusterings[0].unrelated, noise);
  EXPECT_EQ(discover(planted.features, {.chance_level = 0}).clusterings[0].unrelated, Columns{});
}

TEST(DiscoveryTest, HasTheSameBitsForAnyThreads) {
  const Planted planted = planted_features(2, 1000);
  testing::expect_same_bits_everywhere([&] {
    const CategoryDiscovery found = discover(planted.features);
    std::vector<double> heights;
    for (const Merge& merge : found.clusterings[0].tree) heights.push_back(merge.height);
    return heights;
  });
}

TEST(DiscoveryTest, SignsDoNotMatterToTheCorrelationDistance) {
  FeatureMatrix features = grouped({0, 1, 0, 1, 0, 1}, numbered(6));
  for (int64_t n = 0; n < features.rows; ++n) features.values[n * 6 + 2] *= -1;
  const CategoryDiscovery found = discover(features);
  EXPECT_EQ(found.categories,
            (std::vector<Category>{{"cluster_1", {0, 2, 4}}, {"cluster_2", {1, 3, 5}}}));
}

TEST(DiscoveryTest, AHeightCutsThere) {
  const FeatureMatrix features = grouped({0, 0, 0, 1, 1, 1, 2, 2, 2}, numbered(9));
  EXPECT_EQ(discover(features, {.cut_height = 0.6}).categories.size(), 3u);
  EXPECT_EQ(discover(features, {.cut_height = 100}).categories.size(), 1u);
}

TEST(DiscoveryTest, ElbowAndGapFindClearGroups) {
  const FeatureMatrix features = grouped({0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2}, numbered(12), 200);
  for (const char* selection : {"elbow", "gap", "silhouette", "modularity"}) {
    EXPECT_EQ(discover(features, {.k_selection = selection}).categories.size(), 3u) << selection;
  }
}

TEST(DiscoveryTest, SmallClustersJoinTheNearest) {
  // Two features of group 1 are one fewer than the least; half of them is group 0.
  FeatureMatrix features = grouped({0, 0, 0, 1, 1, 2, 2, 2}, numbered(8));
  for (int64_t n = 0; n < features.rows; ++n)
    for (const int i : {3, 4}) features.values[n * 8 + i] += features.values[n * 8];
  const CategoryDiscovery found = discover(features, {.num_categories = 3});
  EXPECT_EQ(found.categories,
            (std::vector<Category>{{"cluster_1", {0, 1, 2, 3, 4}}, {"cluster_2", {5, 6, 7}}}));
  EXPECT_EQ(found.clusterings[0].reassigned, 2);
}

TEST(DiscoveryTest, IsolatedFamiliesComeFirstAndWhole) {
  const FeatureMatrix features = grouped(
      {0, 1, 0, 1, 0, 1, 0, 1}, {"a/0", "a/1", "Raw/0", "Raw/1", "a/2", "a/3", "a/4", "a/5"});
  const CategoryDiscovery found =
      discover(features, {.num_categories = 2, .isolated_families = {"raw"}});
  EXPECT_EQ(found.categories,
            (std::vector<Category>{
                {"Raw_isolated", {2, 3}}, {"cluster_1", {0, 4, 6}}, {"cluster_2", {1, 5, 7}}}));
  expect_error(ErrorKind::Config, "none is not a family of the data; there are a, Raw",
               [&] { discover(features, {.isolated_families = {"none"}}); });
}

TEST(DiscoveryTest, FamiliesStayApart) {
  std::vector<std::string> names = numbered(6, "b");
  for (const std::string& name : numbered(6, "a")) names.push_back(name);
  const CategoryDiscovery found =
      discover(grouped({0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1}, names), {.per_family = true});
  EXPECT_EQ(found.categories, (std::vector<Category>{{"b_cluster_1", {0, 1, 2}},
                                                     {"b_cluster_2", {3, 4, 5}},
                                                     {"a_cluster_1", {6, 7, 8}},
                                                     {"a_cluster_2", {9, 10, 11}}}));
  EXPECT_EQ(found.clusterings.size(), 2u);
}

TEST(DiscoveryTest, PartsOfALargeCategoryTakeItsPlace) {
  const FeatureMatrix features = grouped({0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3}, numbered(12));
  const CategoryDiscovery found =
      discover(features, {.num_categories = 1, .max_category_size = 3, .max_split_parts = 4});
  EXPECT_EQ(found.categories, (std::vector<Category>{{"cluster_1_split_1", {0, 1, 2}},
                                                     {"cluster_1_split_2", {3, 4, 5}},
                                                     {"cluster_1_split_3", {6, 7, 8}},
                                                     {"cluster_1_split_4", {9, 10, 11}}}));
}

TEST(DiscoveryTest, SplitsOfSplitsEndAtTheDepth) {
  const FeatureMatrix features = grouped({0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3}, numbered(12));
  CategoriesConfig config{.num_categories = 1, .max_category_size = 3, .max_split_parts = 2};
  EXPECT_EQ(discover(features, config).categories.size(), 4u);
  config.max_split_depth = 1;
  EXPECT_EQ(discover(features, config).categories.size(), 2u);
}

TEST(DiscoveryTest, RefusesWhatItCannotCluster) {
  FeatureMatrix features = grouped({0, 0, 1, 1}, numbered(4), 50);
  const auto refuses = [&](ErrorKind kind, const std::string& part, CategoriesConfig config = {}) {
    expect_error(kind, part, [&] { discover(features, config); });
  };
  refuses(ErrorKind::Config, "num_categories is 9, there are 4 features", {.num_categories = 9});
  refuses(ErrorKind::Config, "give one", {.num_categories = 2, .cut_height = 1});
  refuses(ErrorKind::Config, "must not be above", {.min_categories = 5, .max_categories = 4});
  refuses(ErrorKind::Config, "mapping_file is not given", {.method = "mapping"});
  refuses(ErrorKind::Config, "would not be read", {.method = "clustering", .mapping_file = "m"});
  features.values[4 * 7 + 2] = NAN;
  refuses(ErrorKind::Data, "feature f/2: holds NaN");
  for (int64_t n = 0; n < 50; ++n) features.values[4 * n + 2] = 5;
  refuses(ErrorKind::Data, "feature f/2: is 5 in all 50 rows");
  features = grouped({0, 1}, numbered(2), 50);
  refuses(ErrorKind::Data, "2 features are left; at least 3 are needed");
  features = grouped({0, 1, 0}, numbered(3), 2);
  refuses(ErrorKind::Data, "2 rows; at least 3 are needed");
}

TEST(SeparationTest, MeansAndWorstPairsByHand) {
  const SquareMatrix r = symmetric(4, {-0.8, 0.1, 0.2, -0.3, 0, 0.6});
  const Separation found = separation_of({{"a", {0, 1}}, {"b", {2, 3}}}, r);
  EXPECT_DOUBLE_EQ(found.categories[0].within, 0.8);
  EXPECT_DOUBLE_EQ(found.categories[1].within, 0.6);
  EXPECT_DOUBLE_EQ(found.categories[0].between, 0.15);
  EXPECT_EQ(found.categories[0].inside, 1);
  EXPECT_EQ(found.categories[0].outside, 2);
  EXPECT_DOUBLE_EQ(found.categories[0].worst, 0.3);
  EXPECT_DOUBLE_EQ(found.worst, 0.15);
  EXPECT_EQ(found.second, 1);
}

class MappingTest : public testing::FileTest {
 protected:
  std::vector<Category> read(const std::string& text) {
    put("map.json", testing::to_bytes(text));
    return read_mapping(path("map.json"), {"f/0", "f/2", "f/3"}, {"f/0", "f/1", "f/2", "f/3"});
  }
  void refuses(const std::string& text, const std::string& part) {
    testing::expect_data_error([&] { read(text); }, part);
  }
};

// Numbers count columns as loaded; f/1 is one that cleaning took out.
TEST_F(MappingTest, TakesNamesAndNumbersInItsOrder) {
  EXPECT_EQ(read(R"({"z": ["f/3", 1], "a": [2, "f/0"]})"),
            (std::vector<Category>{{"z", {2}}, {"a", {0, 1}}}));
}

TEST_F(MappingTest, ReadsWhatItWrites) {
  const std::vector<Category> categories = {{"z", {1}}, {"a \"b\"", {0, 2}}};
  EXPECT_EQ(read(mapping_json(categories, {"f/0", "f/2", "f/3"})), categories);
}

TEST_F(MappingTest, RefusesWhatDoesNotFitTheData) {
  refuses("[1]", "is not {");
  refuses("{", "is not JSON");
  refuses(R"({"a": 1})", "category a: is not a list");
  refuses(R"({"a": ["f/0", "f/2"]})", "feature f/3 is in no category");
  refuses(R"({"a": ["f/0", "f/9"]})", "have no feature f/9");
  refuses(R"({"a": [0, 4]})", "column 4 of 4");
  refuses(R"({"a": [-1]})", "column -1 of 4");
  refuses(R"({"a": [0.5]})", "0.5 is neither");
  refuses(R"({"a": [0], "b": ["f/0", 2, 3]})", "feature f/0 is in category a too");
  refuses(R"({"a": [0, 2, 3], "b": [1]})", "category b: has no feature that is left");
  refuses(R"({"a": [0], "a": [2, 3]})", "category a stands twice");
}

}  // namespace
}  // namespace tessera
