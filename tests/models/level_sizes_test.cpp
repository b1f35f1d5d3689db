#include "tessera/level_sizes.h"

#include <gtest/gtest.h>

#include "tessera/error.h"
#include "testing/numbers.h"

namespace tessera {
namespace {

using Counts = std::vector<int64_t>;

Counts codebooks(int64_t features, bool uniform) {
  Counts sizes;
  for (const LevelSize& level :
       level_sizes("c", features, {}, {.ratios = {}, .uniform_codebooks = uniform}))
    sizes.push_back(*level.codebook_size);
  return sizes;
}

Counts dims(int64_t features, std::optional<std::vector<double>> ratios) {
  Counts sizes;
  for (const LevelSize& level : level_sizes("c", features, {}, {.ratios = std::move(ratios)}))
    sizes.push_back(*level.code_dim);
  return sizes;
}

// The figures that the description of the customer's reference lists.
TEST(LevelSizesTest, CodebooksFollowTheListedExamples) {
  EXPECT_EQ(codebooks(5, false), (Counts{16, 8, 6}));
  EXPECT_EQ(codebooks(10, false), (Counts{20, 11, 6}));
  EXPECT_EQ(codebooks(16, false), (Counts{28, 14, 7}));
  EXPECT_EQ(codebooks(24, false), (Counts{32, 16, 8}));
  EXPECT_EQ(codebooks(33, false), (Counts{32, 17, 8}));
  EXPECT_EQ(codebooks(64, false), (Counts{40, 21, 10}));
  EXPECT_EQ(codebooks(128, false), (Counts{48, 24, 12}));
  EXPECT_EQ(codebooks(24, true), (Counts{32, 32, 32}));
}

TEST(LevelSizesTest, WidthsWithRatiosFollowTheListedExamples) {
  const std::vector<double> ratios = {0.5, 1, 1.5};
  EXPECT_EQ(dims(5, ratios), (Counts{4, 8, 8}));
  EXPECT_EQ(dims(10, ratios), (Counts{8, 12, 16}));
  EXPECT_EQ(dims(24, ratios), (Counts{12, 24, 36}));
  EXPECT_EQ(dims(71, ratios), (Counts{36, 72, 108}));
}

TEST(LevelSizesTest, WidthsWithoutRatiosFollowTheListedExamples) {
  EXPECT_EQ(dims(10, {}), (Counts{48, 8, 4}));
  EXPECT_EQ(dims(24, {}), (Counts{48, 16, 8}));
  EXPECT_EQ(dims(71, {}), (Counts{116, 60, 32}));
  EXPECT_EQ(dims(128, {}), (Counts{252, 128, 64}));
}

TEST(LevelSizesTest, PinnedSizesStay) {
  const auto levels = level_sizes(
      "c", 24, {{.code_dim = 3, .codebook_size = {}}, {.code_dim = {}, .codebook_size = 7}}, {});
  ASSERT_EQ(levels.size(), 2u);
  EXPECT_EQ(levels[0], (LevelSize{3, 32}));
  EXPECT_EQ(levels[1].codebook_size, 7);
}

TEST(LevelSizesTest, OneFeatureIsEnough) {
  for (const LevelSize& level : level_sizes("c", 1, {}, {})) {
    EXPECT_GE(*level.code_dim, 1);
    EXPECT_GE(*level.codebook_size, 2);
  }
}

TEST(LevelSizesTest, BadSizesNameTheCategory) {
  const auto message = [](const std::vector<LevelSize>& given, const LevelRules& rules) {
    try {
      level_sizes("wind", 9, given, rules);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Config);
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_NE(message({{.code_dim = 0, .codebook_size = 4}}, {}).find("category wind, level 0"),
            std::string::npos);
  EXPECT_NE(
      message({{}, {}}, {.ratios = std::vector<double>{1, 2, 3}}).find("3 compression ratios"),
      std::string::npos);
}

TEST(AutomaticRatiosTest, RawFeaturesOfLargeVarianceAreCompressedAtFirst) {
  const auto noise = testing::uniform<float>(500 * 20, 1, -5, 5);
  EXPECT_EQ(automatic_ratios(noise, 500, 20, RatioStrategy::Variance),
            (std::array<double, 3>{0.25, 0.75, 2.0}));
  EXPECT_EQ(automatic_ratios(noise, 500, 20, RatioStrategy::Dimensionality),
            (std::array<double, 3>{0.4, 1.0, 1.8}));
  // Independent columns: five of twenty components hold little.
  EXPECT_EQ(automatic_ratios(noise, 500, 20, RatioStrategy::Information),
            (std::array<double, 3>{0.6, 1.5, 2.5}));
}

TEST(AutomaticRatiosTest, RedundantFeaturesHoldOneComponent) {
  std::vector<float> values;
  for (const float x : testing::uniform<float>(300, 2))
    for (int i = 0; i < 6; ++i) values.push_back(x * float(i + 1));
  EXPECT_EQ(automatic_ratios(values, 300, 6, RatioStrategy::Information),
            (std::array<double, 3>{0.3, 0.7, 1.2}));
}

}  // namespace
}  // namespace tessera
