#include <cmath>

#include "data/column_statistics.h"
#include "data/file_fixture.h"
#include "data/planted_features.h"
#include "tessera/cleaning.h"
#include "testing/numbers.h"

namespace tessera {
namespace {

using testing::all_rows;
using testing::expect_data_error;
using testing::features_of;

TEST(ColumnQuantilesTest, AgreesWithSorting) {
  ColumnQuantiles quantiles;
  for (const int64_t count : {1, 2, 3, 100, 5000}) {
    std::vector<float> values = testing::normal<float>(count, 3);
    for (int64_t i = 0; i < count; i += 7) values[i] = -values[i] * 1e-20f;  // denormal-like keys
    std::vector<float> sorted = values;
    std::sort(sorted.begin(), sorted.end());
    quantiles.set(values);
    for (const double p : {0.0, 0.5, 25.0, 50.0, 73.21, 99.5, 100.0}) {
      const double place = p / 100 * double(count - 1);
      const auto below = static_cast<size_t>(place);
      const double low = sorted[below], high = sorted[std::min<size_t>(below + 1, count - 1)];
      EXPECT_DOUBLE_EQ(quantiles.percentile(p), low + (place - double(below)) * (high - low));
    }
  }
}

TEST(ColumnMomentsTest, IgnoresNan) {
  const std::vector<float> values = {1, NAN, 5, NAN, 3, 7, 9, NAN, 1, 1, 1};
  const ColumnMoments moments = column_moments(values);
  EXPECT_EQ(moments.count, 8);
  EXPECT_DOUBLE_EQ(moments.mean, 3.5);
  EXPECT_DOUBLE_EQ(moments.deviation, std::sqrt(70.0 / 8));
}

TEST(FeatureNormalizerTest, StandardHasMeanZeroAndDeviationOne) {
  FeatureMatrix features = features_of({"a/0", "a/1"}, {{1, 2, 3, 4}, {7, 7, 7, 7}});
  normalize(features, fit_normalizer("auto", features, all_rows(4)));
  const double unit = 1 / std::sqrt(1.25);
  for (int n = 0; n < 4; ++n) {
    EXPECT_NEAR(features.values[2 * n], (n - 1.5) * unit, 1e-6);
    EXPECT_EQ(features.values[2 * n + 1], 0);  // constant: only centred
  }
}

// Median 3, |x - 3| = 2 1 0 1 97, so MAD 1; mean and deviation would be 22 and 39.
TEST(FeatureNormalizerTest, RobustIsMedianAndMad) {
  const FeatureMatrix features = features_of({"a/0"}, {{1, 2, 3, 4, 100}});
  const FeatureNormalizer fitted = fit_normalizer("robust", features, all_rows(5));
  EXPECT_EQ(fitted.numbers.mean[0], 3);
  EXPECT_FLOAT_EQ(fitted.numbers.scale[0], 1 / 1.4826f);
}

TEST(FeatureNormalizerTest, NoneChangesNothing) {
  FeatureMatrix features = features_of({"a/0"}, {{1, 2, 3}});
  normalize(features, fit_normalizer("none", features, all_rows(3)));
  EXPECT_EQ(features.values, (std::vector<float>{1, 2, 3}));
}

TEST(FeatureNormalizerTest, OnlyTheGivenRowsAreFittedTo) {
  const FeatureMatrix features = features_of({"a/0"}, {{1, 3, 1000}});
  EXPECT_EQ(fit_normalizer("standard", features, std::vector<int32_t>{0, 1}).numbers.mean[0], 2);
}

TEST(FeatureNormalizerTest, FindsFeaturesByName) {
  const FeatureMatrix features = features_of({"a/0", "b/0"}, {{0, 2}, {10, 14}});
  const FeatureNormalizer fitted = fit_normalizer("standard", features, all_rows(2));
  FeatureMatrix swapped = features_of({"b/0", "a/0"}, {{14}, {2}});
  normalize(swapped, fitted);
  EXPECT_EQ(swapped.values, (std::vector<float>{1, 1}));
  FeatureMatrix fewer = features_of({"a/0"}, {{1}});
  expect_data_error([&] { normalize(fewer, fitted); }, "feature b/0 is not among");
  FeatureMatrix more = features_of({"a/0", "b/0", "c/0"}, {{1}, {1}, {1}});
  expect_data_error([&] { normalize(more, fitted); }, "fitted to 2 features, there are 3");
}

TEST(FeatureNormalizerTest, JsonKeepsEveryBit) {
  const FeatureMatrix features =
      features_of({"a/0", "b/0"}, {testing::normal<float>(50, 1), testing::normal<float>(50, 2)});
  for (const char* kind : {"standard", "robust", "none"}) {
    const FeatureNormalizer fitted = fit_normalizer(kind, features, all_rows(50));
    EXPECT_EQ(normalizer_from_json(to_json(fitted)), fitted);
  }
  expect_data_error(
      [] { normalizer_from_json(R"({"kind":"standard","names":["a"],"mean":[],"scale":[]})"); },
      "0 means and 0 scales where 1 are expected");
}

TEST(FeatureNormalizerTest, RefusesNanAndBytes) {
  const FeatureMatrix features = features_of({"a/0", "a/1"}, {{1, 2}, {1, NAN}});
  expect_data_error([&] { fit_normalizer("standard", features, all_rows(2)); },
                    "feature a/1: holds NaN");
  EXPECT_THROW(fit_normalizer("unit_range", features, all_rows(2)), Error);
}

TEST(NormalizerTest, RobustServesRowsTooAndIsUndone) {
  const HostRows rows =
      to_rows(HostArray::from_values<float>({5, 1}, std::vector<float>{1, 2, 3, 4, 100}), "rows");
  const Normalizer normalizer = fit_normalizer("robust", rows, {0, 1, 2, 3, 4});
  std::vector<float> values = Dataset(rows, normalizer, {}).rows_at(0, 5).to_host();
  EXPECT_FLOAT_EQ(values[4], 97 / 1.4826f);
  normalizer.undo(values, 1);
  EXPECT_FLOAT_EQ(values[4], 100);
}

}  // namespace
}  // namespace tessera
