#include "tessera/report/discovery_charts.h"
#include "testing/text.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tessera {
namespace {

const std::vector<std::string> kNames = {"a/0", "a/1", "a/<2>", "a/3"};
const std::vector<Category> kCategories = {{"first", {0, 1}}, {"second", {2, 3}}};

FeatureClustering clustering() {
  FeatureClustering result;
  result.features = {0, 1, 2, 3};
  result.tree = {{0, 1, 1, 2}, {2, 3, 2, 2}, {4, 5, 4, 4}};
  result.chosen.clusters = 2;
  result.cut_height = 3;
  return result;
}

TEST(DendrogramTest, DrawsEveryMergeInTheColourOfItsCategory) {
  const std::string svg = dendrogram_svg(clustering(), kCategories, kNames);
  EXPECT_EQ(testing::count_of(svg, "<polyline"), 3);
  EXPECT_EQ(testing::count_of(svg, "fill=\"none\" stroke=\"" + std::string(category_color(0))), 1);
  EXPECT_EQ(testing::count_of(svg, "fill=\"none\" stroke=\"" + std::string(category_color(1))), 1);
  EXPECT_EQ(testing::count_of(svg, "fill=\"none\" stroke=\"#777777"), 1);  // of both
}

TEST(DendrogramTest, NamesFeaturesAndCategories) {
  const std::string svg = dendrogram_svg(clustering(), kCategories, kNames);
  EXPECT_NE(svg.find("a/&lt;2&gt;"), std::string::npos);
  EXPECT_NE(svg.find("second (2)"), std::string::npos);
  EXPECT_EQ(testing::count_of(svg, "stroke-dasharray"), 1);  // the cut
}

TEST(DendrogramTest, OfOneFeatureIsALeaf) {
  FeatureClustering one;
  one.features = {2};
  one.chosen.clusters = 1;
  EXPECT_EQ(testing::count_of(dendrogram_svg(one, kCategories, kNames), "<polyline"), 0);
}

TEST(HeatMapTest, HasACellForEachPair) {
  SquareMatrix r{4, std::vector<double>(16, 0.25)};
  const std::string svg = heat_map_svg(r, kCategories, kNames);
  EXPECT_EQ(testing::count_of(svg, "<title>"), 16);
  EXPECT_NE(svg.find("a/0 - a/3: 0.250"), std::string::npos);
  EXPECT_EQ(testing::count_of(svg, "stroke=\"" + std::string(category_color(1))), 1);
}

TEST(HeatMapTest, ManyFeaturesShareCells) {
  constexpr int64_t kSize = 400;
  const SquareMatrix r{kSize, std::vector<double>(kSize * kSize, 1.0)};
  Category all{"all", {}};
  for (int64_t i = 0; i < kSize; ++i) all.features.push_back(i);
  const std::string svg = heat_map_svg(r, {all}, std::vector<std::string>(kSize, "x"));
  EXPECT_LT(testing::count_of(svg, "<rect"), 26000);
  EXPECT_LT(svg.size(), size_t{4} << 20);
}

}  // namespace
}  // namespace tessera
