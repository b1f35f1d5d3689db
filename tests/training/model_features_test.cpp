// What a model knows about its features: order, sizes, weights, text. Runs are in
// named_features_run_test.cpp.
#include "tessera/model_features.h"

#include <limits>

#include "training/categorical_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;
using Names = std::vector<std::string>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Four columns, of which the first and the last are one category.
PreparedFeatures prepared() {
  PreparedFeatures result;
  result.matrix = {.names = {"f/w", "f/x", "g/y", "g/z"},
                   .families = {"f", "f", "g", "g"},
                   .rows = 4,
                   .values = {0, 0, 1, 0,  //
                              1, 0, 1, 0,  //
                              2, 4, 1, 0,  //
                              3, 4, 2, 8}};
  for (const std::string& name : result.matrix.names)
    result.cleaning.kept.push_back({.name = name, .fill = 7, .low = -kInfinity, .high = kInfinity});
  result.cleaning.removed = {{"f/v", "constant"}};
  result.discovery.categories = {{"outer", {0, 3}}, {"inner", {1, 2}}};
  return result;
}

std::vector<int32_t> rows_to(int32_t count) {
  std::vector<int32_t> rows;
  for (int32_t n = 0; n < count; ++n) rows.push_back(n);
  return rows;
}

std::vector<CategoryLevels> levels_of(const ModelConfig& config) {
  const ModelFeatures features = model_features(prepared());
  return resolve_levels(config, features, model_rows(prepared().matrix, features, "x"), rows_to(4));
}

TEST(ModelFeaturesTest, ColumnsOfACategoryStandTogether) {
  const ModelFeatures features = model_features(prepared());
  EXPECT_EQ(features.names, (Names{"f/w", "g/z", "f/x", "g/y"}));
  EXPECT_EQ(features.categories, (std::vector<ColumnCategory>{{"outer", 2}, {"inner", 2}}));
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(features.cleaning.kept[i].name, features.names[i]);
  EXPECT_EQ(features.cleaning.removed, prepared().cleaning.removed);
  // Column i of the data set is column data_order[i] of the model.
  EXPECT_EQ(features.data_order, (std::vector<int32_t>{0, 2, 3, 1}));
}

TEST(ModelFeaturesTest, RowsAreFoundByNameAndCleaned) {
  const ModelFeatures features = model_features(prepared());
  const FeatureMatrix other{.names = {"g/z", "extra/q", "g/y", "f/x", "f/w"},
                            .families = {"g", "extra", "g", "f", "f"},
                            .rows = 1,
                            .values = {4, NAN, NAN, 2, 1}};
  const FeatureMatrix rows = model_rows(other, features, "x.npy");
  EXPECT_EQ(rows.names, features.names);
  EXPECT_EQ(rows.values, (std::vector<float>{1, 4, 2, 7}));
}

TEST(ModelFeaturesTest, AMissingFeatureAndAMissingValueAreNamed) {
  ModelFeatures features = model_features(prepared());
  FeatureMatrix rows = prepared().matrix;
  rows.values[4 + 2] = NAN;
  features.cleaning.kept[3].fill = NAN;  // trained without cleaning
  expect_data_error([&] { model_rows(rows, features, "x.npy", 100); },
                    "x.npy: row 101, feature g/y is missing or not finite");
  rows.names[1] = "f/other";
  expect_data_error([&] { model_rows(rows, features, "x.npy"); }, "f/x");
}

TEST(ModelFeaturesTest, TextKeepsEveryBit) {
  ModelFeatures features = model_features(prepared());
  features.weights = {0.1f, 1.0f / 3, 1e-30f, 3.5f};
  features.cleaning.kept[1].low = -1.0f / 7;
  const ModelFeatures read = features_from_json(names_json(features), categories_json(features),
                                                preparation_json(features), "file");
  EXPECT_EQ(read, features);
}

TEST(ModelFeaturesTest, DamagedTextIsRefused) {
  const ModelFeatures features = model_features(prepared());
  const std::string names = names_json(features), categories = categories_json(features),
                    rest = preparation_json(features);
  const auto changed = [](std::string text, const std::string& from, const std::string& to) {
    return text.replace(text.find(from), from.size(), to);
  };
  expect_data_error([&] { features_from_json("[", categories, rest, "file"); },
                    "file: its features");
  expect_data_error([&] { features_from_json(R"(["f/w"])", categories, rest, "file"); },
                    "file: its features do not agree");
  expect_data_error([&] { features_from_json(names, "[]", rest, "file"); }, "do not agree");
  expect_data_error(
      [&] {
        features_from_json(names, categories, changed(rest, "[0,2,3,1]", "[0,2,3,4]"), "file");
      },
      "do not agree");
  expect_data_error(
      [&] { features_from_json(changed(names, "f/w", "f/u"), categories, rest, "file"); },
      "do not agree");
}

TEST(ResolveLevelsTest, InferredSizesAreThoseOfTheRule) {
  ModelConfig config;
  const std::vector<CategoryLevels> levels = levels_of(config);
  ASSERT_EQ(levels.size(), 2u);
  EXPECT_EQ(levels[0].category, "outer");
  EXPECT_EQ(levels[0].levels, level_sizes("outer", 2, {}, {}));
  config.compression_ratios = "2:4";
  config.uniform_codebooks = true;
  const LevelRules rules{.ratios = std::vector<double>{2, 4}, .uniform_codebooks = true};
  EXPECT_EQ(levels_of(config)[1].levels, level_sizes("inner", 2, {}, rules));
  EXPECT_EQ(levels_of(config)[1].levels.size(), 2u);
}

TEST(ResolveLevelsTest, AutomaticRatiosLookAtTheValues) {
  ModelConfig config;
  config.compression_ratios = "auto";
  for (const auto& [name, strategy] : {std::pair{"variance", RatioStrategy::Variance},
                                       {"dimensionality", RatioStrategy::Dimensionality},
                                       {"information", RatioStrategy::Information},
                                       {"balanced", RatioStrategy::Balanced}}) {
    config.ratio_strategy = name;
    const std::vector<float> inner = {0, 1, 0, 1, 4, 1, 4, 2};
    const auto ratios = automatic_ratios(inner, 4, 2, strategy);
    const LevelRules rules{.ratios = std::vector<double>(ratios.begin(), ratios.end())};
    EXPECT_EQ(levels_of(config)[1].levels, level_sizes("inner", 2, {}, rules)) << name;
  }
}

TEST(ResolveLevelsTest, ANameWinsOverTheStar) {
  ModelConfig config;
  config.levels = {{"*", {{8, 16}}}, {"inner", {{4, {}}}}};
  const std::vector<CategoryLevels> levels = levels_of(config);
  EXPECT_EQ(levels[0].levels, (std::vector<LevelSize>{{8, 16}}));
  EXPECT_EQ(levels[1].levels, level_sizes("inner", 2, {{4, {}}}, {}));
  EXPECT_EQ(levels[1].levels[0].code_dim, 4);
}

TEST(ResolveLevelsTest, PinnedSizesNeedNoRatios) {
  ModelConfig config;
  config.levels = {{"*", {{8, 16}, {4, 4}}}};
  config.compression_ratios = "auto";
  EXPECT_EQ(levels_of(config)[0].levels, config.levels[0].levels);
}

TEST(ResolveLevelsTest, AnUnknownCategoryIsRefused) {
  ModelConfig config;
  config.levels = {{"outer", {{8, 16}}}, {"other", {{8, 16}}}};
  expect_error(ErrorKind::Config,
               "model.levels.other is no category of these data; they have outer, inner",
               [&] { levels_of(config); });
}

TEST(ResolveLevelsTest, AsManyRatiosAsLevels) {
  ModelConfig config;
  config.levels = {{"*", {{{}, 16}, {{}, 8}}}};
  config.compression_ratios = "1:2:3";
  expect_error(ErrorKind::Config, "category outer: 3 compression ratios for 2 levels",
               [&] { levels_of(config); });
}

std::vector<float> weights_of(const std::string& kind, int32_t rows = 4) {
  return feature_weights(kind, prepared().matrix, rows_to(rows));
}

TEST(FeatureWeightsTest, UniformHasNone) { EXPECT_TRUE(weights_of("uniform").empty()); }

TEST(FeatureWeightsTest, VarianceIsOverItsMean) {
  // Variances 1.25, 4, 0.1875 and 12, their mean 4.359375. Three rows: 2/3, 32/9, 0, 0.
  const double mean = (1.25 + 4 + 0.1875 + 12) / 4;
  const std::vector<float> expected = {float(1.25 / mean), float(4 / mean), float(0.1875 / mean),
                                       float(12 / mean)};
  const std::vector<float> found = weights_of("variance"), three = weights_of("variance", 3);
  for (size_t i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(found[i], expected[i]);
  EXPECT_FLOAT_EQ(three[1], float(32.0 / 9 / (2.0 / 3 + 32.0 / 9) * 4));
  EXPECT_EQ(three[3], 0);
}

/// Entropies of the columns: four equal shares, two halves, 3/4 and 1/4 twice.
std::vector<double> entropies() {
  const double quarters = 0.25 * std::log(4) + 0.75 * std::log(4.0 / 3);
  return {std::log(4), std::log(2), quarters, quarters};
}

TEST(FeatureWeightsTest, InformationIsOverItsMean) {
  const std::vector<double> h = entropies();
  const std::vector<float> found = weights_of("information");
  for (size_t i = 0; i < 4; ++i)
    EXPECT_FLOAT_EQ(found[i], float(4 * h[i] / (h[0] + h[1] + h[2] + h[3])));
}

TEST(FeatureWeightsTest, BothAreTheRootOfTheProductScaledToTheirNumber) {
  const std::vector<double> h = entropies(), v = {1.25, 4, 0.1875, 12};
  double sum = 0;
  for (size_t i = 0; i < 4; ++i) sum += std::sqrt(h[i] * v[i]);
  const std::vector<float> found = weights_of("variance_information");
  for (size_t i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(found[i], float(4 * std::sqrt(h[i] * v[i]) / sum));
}

}  // namespace
}  // namespace tessera
