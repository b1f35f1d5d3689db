#include "tessera/cleaning.h"

#include <cmath>

#include "data/file_fixture.h"
#include "data/planted_features.h"
#include "testing/numbers.h"

namespace tessera {
namespace {

using testing::all_rows;
using testing::expect_data_error;
using testing::features_of;

constexpr float kInf = std::numeric_limits<float>::infinity();

std::vector<float> noise(int64_t rows, uint64_t seed) { return testing::normal<float>(rows, seed); }

Cleaning fit(const FeatureMatrix& features, const CleaningConfig& config = {}) {
  return fit_cleaning(features, all_rows(features.rows), config);
}

std::vector<std::string> kept_names(const Cleaning& cleaning) {
  std::vector<std::string> names;
  for (const CleanedFeature& feature : cleaning.kept) names.push_back(feature.name);
  return names;
}

using Names = std::vector<std::string>;

TEST(CleaningTest, RemovesConstantAndMissingFeaturesByNameAndReason) {
  const FeatureMatrix features = features_of(
      {"a/0", "a/1", "a/2", "a/3"}, {noise(100, 1), std::vector<float>(100, 0.1f),
                                     std::vector<float>(100, NAN), std::vector<float>(100, 0)});
  const Cleaning cleaning = fit(features);
  EXPECT_EQ(kept_names(cleaning), Names{"a/0"});
  ASSERT_EQ(cleaning.removed.size(), 3u);
  EXPECT_EQ(cleaning.removed[0].name, "a/1");
  EXPECT_TRUE(cleaning.removed[0].reason.starts_with("constant: deviation"));
  EXPECT_EQ(cleaning.removed[1].reason, "missing: NaN in all 100 rows");
  EXPECT_EQ(cleaning.removed[2].name, "a/3");
}

TEST(CleaningTest, MinDeviationIsADeviationNotAVariance) {
  const FeatureMatrix features = features_of({"a/0", "a/1"}, {{-1, 1, -1, 1}, {-3, 3, 3, -3}});
  EXPECT_EQ(kept_names(fit(features, {.min_deviation = 2})), Names{"a/1"});
}

TEST(CleaningTest, ExcessiveMeansVarianceAndVariation) {
  std::vector<float> wild = noise(1000, 2), shifted = wild;
  for (float& x : wild) x *= 1000;
  for (float& x : shifted) x = x * 1000 + 5000;  // the same variance, variation 0.2
  const FeatureMatrix features = features_of({"a/wild", "a/shifted"}, {wild, shifted});
  const Cleaning cleaning =
      fit(features, {.max_variance = 1e5, .max_variation = 10, .duplicate_correlation = 1});
  EXPECT_EQ(kept_names(cleaning), Names{"a/shifted"});
  EXPECT_TRUE(cleaning.removed[0].reason.starts_with("excessive: variance"));
}

// The second has outliers and, cut at eight values, less entropy.
TEST(CleaningTest, OfTwoDuplicatesTheMoreInformativeStays) {
  std::vector<float> fine = noise(1000, 3), coarse = fine;
  for (float& x : coarse) x = std::round(4 * x) / 4;
  const FeatureMatrix coarse_first = features_of({"a/coarse", "a/fine"}, {coarse, fine});
  const Cleaning cleaning = fit(coarse_first);
  EXPECT_EQ(kept_names(cleaning), Names{"a/fine"});
  EXPECT_TRUE(cleaning.removed[0].reason.starts_with("duplicate of a/fine: |r| = 0.99"));
  EXPECT_EQ(kept_names(fit(coarse_first, {.duplicate_choice = "first"})), Names{"a/coarse"});
  EXPECT_EQ(kept_names(fit(coarse_first, {.duplicate_correlation = 1})).size(), 2u);
}

TEST(CleaningTest, OppositeAndEqualFeaturesAreDuplicates) {
  const std::vector<float> x = noise(500, 4);
  std::vector<float> negated = x;
  for (float& value : negated) value = -value;
  const FeatureMatrix features = features_of({"a/0", "a/1", "b/0"}, {x, x, negated});
  EXPECT_EQ(fit(features, {.duplicate_choice = "first"}).kept.size(), 1u);
  EXPECT_EQ(kept_names(fit(features, {.duplicate_choice = "first"})), Names{"a/0"});
}

TEST(CleaningTest, AMissingValueDoesNotHideADuplicate) {
  std::vector<float> x = noise(500, 4), gap = x;
  gap[7] = NAN;
  const FeatureMatrix features = features_of({"a/0", "a/1"}, {x, gap});
  EXPECT_EQ(fit(features).kept.size(), 1u);
}

TEST(CleaningTest, MissingValuesBecomeTheMedian) {
  const FeatureMatrix features = features_of({"a/0"}, {{5, NAN, 1, 2, NAN, 4}});
  const Cleaning cleaning = fit(features, {.outliers = "none"});
  EXPECT_EQ(cleaning.kept[0].filled, 2);
  EXPECT_EQ(apply_cleaning(features, cleaning).values, (std::vector<float>{5, 3, 1, 2, 3, 4}));
}

struct OutlierCase {
  const char* method;
  float low, high;
};

// 0, 1, ..., 100 and then 1000 for the last: percentiles of 101 values fall on ranks.
TEST(CleaningTest, OutliersAreCappedAtTheLimitsOfEachMethod) {
  std::vector<float> x(101);
  for (int i = 0; i <= 100; ++i) x[i] = static_cast<float>(i);
  x[100] = 1000;
  const FeatureMatrix features = features_of({"a/0"}, {x});
  for (const OutlierCase& expected : std::vector<OutlierCase>{{"percentile", 2.0f, 97.5f},
                                                              {"iqr", -50, 150},
                                                              {"mad", 0, 100},
                                                              {"none", -kInf, kInf}}) {
    SCOPED_TRACE(expected.method);
    const Cleaning cleaning = fit(features, {.outliers = expected.method,
                                             .low_percentile = 2,
                                             .high_percentile = 97.5,
                                             .iqr_multiplier = 1.5,
                                             .mad_multiplier = 2});
    EXPECT_EQ(cleaning.kept[0].low, expected.low);
    EXPECT_EQ(cleaning.kept[0].high, expected.high);
    const FeatureMatrix cleaned = apply_cleaning(features, cleaning);
    EXPECT_EQ(cleaned.values[100], std::min(1000.0f, expected.high));
    EXPECT_EQ(cleaned.values[0], std::max(0.0f, expected.low));
  }
}

TEST(CleaningTest, CountsWhatItCaps) {
  std::vector<float> x(101);
  for (int i = 0; i <= 100; ++i) x[i] = static_cast<float>(i);
  const Cleaning cleaning =
      fit(features_of({"a/0"}, {x}), {.low_percentile = 2, .high_percentile = 97});
  EXPECT_EQ(cleaning.kept[0].capped, 5);  // 0 and 1; 98, 99 and 100
}

TEST(CleaningTest, AMadOfNothingCountsAsAHundredthOfTheMedian) {
  std::vector<float> x(100, 8);
  x[0] = 50;
  const Cleaning cleaning =
      fit(features_of({"a/0"}, {x}), {.outliers = "mad", .mad_multiplier = 3});
  EXPECT_FLOAT_EQ(cleaning.kept[0].high, 8 + 3 * 0.08f);
}

TEST(CleaningTest, OnlyTheGivenRowsAreFittedTo) {
  const FeatureMatrix features = features_of({"a/0"}, {{1, 2, 3, 1000, NAN}});
  const Cleaning cleaning = fit_cleaning(features, std::vector<int32_t>{0, 1, 2},
                                         {.low_percentile = 0, .high_percentile = 100});
  EXPECT_EQ(cleaning.kept[0].filled, 0);
  EXPECT_EQ(apply_cleaning(features, cleaning).values, (std::vector<float>{1, 2, 3, 3, 2}));
}

TEST(CleaningTest, AppliesByNameInTheOrderItWasFittedTo) {
  const FeatureMatrix features =
      features_of({"b/0", "a/0", "a/1"}, {noise(50, 5), noise(50, 6), noise(50, 7)});
  const Cleaning cleaning = fit(features, {.outliers = "none"});
  const FeatureMatrix other = features_of({"a/1", "x/0", "b/0", "a/0"}, {{1}, {9}, {2}, {3}});
  const FeatureMatrix cleaned = apply_cleaning(other, cleaning);
  EXPECT_EQ(cleaned.names, (Names{"b/0", "a/0", "a/1"}));
  EXPECT_EQ(cleaned.families, (Names{"b", "a", "a"}));
  EXPECT_EQ(cleaned.values, (std::vector<float>{2, 3, 1}));
  expect_data_error([&] { apply_cleaning(features_of({"b/0"}, {{1}}), cleaning); },
                    "feature a/0 is not among the 1 features given");
}

TEST(CleaningTest, RefusesToLeaveNothing) {
  const FeatureMatrix features = features_of({"a/0"}, {std::vector<float>(10, 1)});
  expect_data_error([&] { fit(features); }, "none of the 1 features is left");
  expect_data_error([&] { fit_cleaning(features, {}, {}); }, "no rows");
}

TEST(CleaningTest, JsonKeepsEveryBit) {
  const FeatureMatrix features = features_of(
      {"a/0", "a/\"1\"", "a/2"}, {noise(50, 5), noise(50, 6), std::vector<float>(50, 1)});
  for (const char* outliers : {"percentile", "none"}) {
    const Cleaning cleaning = fit(features, {.outliers = outliers});
    EXPECT_EQ(cleaning_from_json(to_json(cleaning)), cleaning);
  }
  expect_data_error([] { cleaning_from_json("{}", "model"); }, "model: is damaged");
}

TEST(ExcludeFeaturesTest, StarsStandForAnyText) {
  const auto left = [](const Names& patterns) {
    FeatureMatrix features =
        features_of({"a/mean", "a/max", "b/mean", "b/a/x"}, {{1, 5}, {2, 6}, {3, 7}, {4, 8}});
    exclude_features(features, patterns);
    return features;
  };
  EXPECT_EQ(left({"*/mean"}).names, (Names{"a/max", "b/a/x"}));
  EXPECT_EQ(left({"*/mean"}).values, (std::vector<float>{2, 4, 6, 8}));
  EXPECT_EQ(left({"a/*"}).names, (Names{"b/mean", "b/a/x"}));
  EXPECT_EQ(left({"a/max", "b/*a*"}).names, Names{"a/mean"});
  EXPECT_EQ(left({"*m*a*"}).names, Names{"b/a/x"});
  EXPECT_EQ(left({}).names.size(), 4u);
}

TEST(ExcludeFeaturesTest, SaysWhichPatternTookWhat) {
  FeatureMatrix features = features_of({"a/0", "a/1", "b/0"}, {{1}, {2}, {3}});
  EXPECT_EQ(exclude_features(features, {"a/1", "a/*"}),
            (std::vector<RemovedFeature>{{"a/0", "excluded by a/*"}, {"a/1", "excluded by a/1"}}));
}

TEST(ExcludeFeaturesTest, APatternThatFitsNothingIsAMistake) {
  FeatureMatrix features = features_of({"a/0", "a/1"}, {{1}, {2}});
  try {
    exclude_features(features, {"a/0", "c/*"});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config);
    EXPECT_NE(std::string(error.what()).find("\"c/*\" fits none of the 2 features"),
              std::string::npos);
  }
  expect_data_error([&] { exclude_features(features, {"*"}); }, "takes out all 2 features");
}

}  // namespace
}  // namespace tessera
