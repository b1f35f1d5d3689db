// Linkage, cuts and silhouettes against SciPy and scikit-learn; golden/make_discovery_golden.py.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tessera/discovery.h"
#include "testing/places.h"

namespace tessera {
namespace {

using Json = nlohmann::json;

constexpr double kTolerance = 1e-10;
constexpr double kDistinct =
    1e-9;  // cuts are compared where the heights around them differ by more

const Json& golden() {
  static const Json json =
      Json::parse(std::ifstream(std::string(testing::kGoldenDir) + "/golden_discovery.json"));
  return json;
}

std::string letters(const std::vector<int32_t>& labels) {
  std::string text;
  for (const int32_t label : labels) text += static_cast<char>('a' + label);
  return text;
}

/// One matrix under one distance and linkage, computed here.
struct Computed {
  SquareMatrix correlation, distances;
  std::vector<Merge> tree;

  Computed(const Json& matrix, const Json& expected) {
    const std::vector<float> x = matrix.at("x");
    const int64_t rows = matrix.at("rows"), cols = matrix.at("cols");
    correlation = correlation_matrix({x.data(), rows, cols, cols});
    distances = feature_distances(correlation, expected.at("distance").get<std::string>(), rows);
    tree = link_features(distances, expected.at("linkage").get<std::string>());
  }

  bool cut_is_distinct(int64_t clusters) const {
    const auto done = static_cast<int64_t>(tree.size()) + 1 - clusters;
    return done == 0 || tree[done].height - tree[done - 1].height > kDistinct;
  }
};

/// Calls f(computed, expected) for every case of the file.
template <class F>
void for_each_case(F&& f) {
  for (const Json& matrix : golden().at("matrices"))
    for (const Json& expected : matrix.at("cases")) {
      SCOPED_TRACE(matrix.at("name").get<std::string>() + ", " +
                   expected.at("distance").get<std::string>() + ", " +
                   expected.at("linkage").get<std::string>());
      f(Computed(matrix, expected), expected);
    }
}

TEST(DiscoveryGoldenTest, HasTwentyRandomAndFiveStructuredMatrices) {
  EXPECT_EQ(golden().at("matrices").size(), 25u);
}

TEST(DiscoveryGoldenTest, LinkageHeightsAreThoseOfSciPy) {
  for_each_case([](const Computed& computed, const Json& expected) {
    const std::vector<double> heights = expected.at("heights");
    ASSERT_EQ(computed.tree.size(), heights.size());
    for (size_t i = 0; i < heights.size(); ++i)
      EXPECT_NEAR(computed.tree[i].height, heights[i], kTolerance) << "merge " << i;
  });
}

TEST(DiscoveryGoldenTest, CutsAreThoseOfSciPy) {
  int compared = 0;
  for_each_case([&](const Computed& computed, const Json& expected) {
    for (const auto& [clusters, labels] : expected.at("cuts").items()) {
      if (!computed.cut_is_distinct(std::stoi(clusters))) continue;
      EXPECT_EQ(letters(cut_tree(computed.tree, std::stoi(clusters))), labels.get<std::string>());
      ++compared;
    }
  });
  EXPECT_GT(compared, 500);
}

TEST(DiscoveryGoldenTest, SilhouettesAreThoseOfScikitLearn) {
  int compared = 0;
  for_each_case([&](const Computed& computed, const Json& expected) {
    const Json& silhouettes = expected.at("silhouettes");
    if (silhouettes.empty()) return;
    const int64_t most = std::min<int64_t>(8, computed.distances.size - 1);
    for (const CutScore& score :
         score_cuts(computed.tree, computed.correlation, computed.distances, 2, most)) {
      const std::string clusters = std::to_string(score.clusters);
      if (!silhouettes.contains(clusters) || !computed.cut_is_distinct(score.clusters)) continue;
      EXPECT_NEAR(score.silhouette, silhouettes.at(clusters).get<double>(), kTolerance) << clusters;
      ++compared;
    }
  });
  EXPECT_GT(compared, 500);
}

}  // namespace
}  // namespace tessera
