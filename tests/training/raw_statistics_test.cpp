#include "testing/numbers.h"
#include "training/raw_statistics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tessera {
namespace {

using testing::kNan;

/// Series [rows, steps, 3]: a feature far from 0, a constant one, one with missing values.
class SeriesOfThree final : public RawInputs {
 public:
  SeriesOfThree() {
    rows_ = 4;
    series_ = {{"temporal", 2, {"far", "constant", "holes"}}};
  }
  RawBatch read(std::span<const int32_t> rows) const override {
    RawBatch batch{
        .rows = static_cast<int64_t>(rows.size()), .grids = {}, .series = {{}}, .lengths = {}};
    for (const int32_t row : rows) {
      batch.lengths.push_back(row == 0 ? 1 : 2);
      for (const float step : {-1.0f, 1.0f})
        for (const float value : {1e6f + step, 0.1f, row == 1 ? kNan : step * 2})
          batch.series[0].push_back(value);
    }
    return batch;
  }
};

TEST(RawStatisticsTest, AreThoseOfTheStepsThatCountAndOfWhatIsThere) {
  EncoderInputs inputs;
  inputs.families.push_back({.shape = {.name = "temporal",
                                       .column_names = {},
                                       .series_features = 3,
                                       .steps = 2,
                                       .series_names = {"far", "constant", "holes"}}});
  EXPECT_EQ(fit_raw_statistics(inputs, SeriesOfThree(), {0, 1, 2, 3}), 2);
  const EncodedFamilyInput& family = inputs.families.front();
  // Seven steps: -1 four times, 1 three times, about 1e6.
  EXPECT_NEAR(family.mean[0], 1e6 - 1.0 / 7, 0.04);
  EXPECT_NEAR(family.scale[0], 1 / std::sqrt(1 - 1.0 / 49), 1e-6);
  EXPECT_EQ(family.scale[1], 1);            // not 1 over the rounding of 0.1
  EXPECT_NEAR(family.mean[2], -0.4, 1e-6);  // -2 three times, 2 twice
}

TEST(RawStatisticsTest, NormalisedValuesAreBoundedAndMissingOnesTheMean) {
  std::vector<float> values = {3, kNan, 1e30f, -1e30f};
  normalize_raw(values, {1, 5}, {2, 1});
  EXPECT_EQ(values, (std::vector<float>{4, 0, 10, -10}));
}

}  // namespace
}  // namespace tessera
