#include "tessera/series_lengths.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tessera/error.h"

namespace tessera {
namespace {

constexpr int32_t kLong = 1000;
constexpr int kSamples = 20000;

SeriesLengths lengths_of(VariableLengthParams params, uint64_t seed = 5) {
  params.enabled = true;
  return SeriesLengths(params, seed, "families.t.encoder_params.variable_length");
}
VariableLengthParams range(int64_t low, int64_t high, const std::string& strategy = "uniform") {
  return {.min_timesteps = low, .max_timesteps = high, .sampling_strategy = strategy};
}
std::map<int32_t, int> histogram(const SeriesLengths& lengths, uint64_t epoch = 0) {
  std::map<int32_t, int> counts;
  for (int n = 0; n < kSamples; ++n) ++counts[lengths.length(epoch, n, kLong)];
  return counts;
}

TEST(SeriesLengthsTest, UniformDrawsEveryLengthOfTheRangeAlike) {
  const auto counts = histogram(lengths_of(range(3, 12)));
  EXPECT_EQ(counts.size(), 10u);
  EXPECT_EQ(counts.begin()->first, 3);
  EXPECT_EQ(counts.rbegin()->first, 12);
  // Mean 2000, deviation sqrt(20000 * 0.1 * 0.9) = 42; six of them.
  for (const auto& [length, count] : counts) EXPECT_NEAR(count, 2000, 255) << length;
}

TEST(SeriesLengthsTest, GeometricFallsAsItsDecaySays) {
  VariableLengthParams params = range(16, 256, "geometric");
  params.geometric_decay = 0.02;
  const auto counts = histogram(lengths_of(params));
  EXPECT_GE(counts.begin()->first, 16);
  EXPECT_LE(counts.rbegin()->first, 256);
  // P(length < 16 + k) = (1 - e^(-0.02 k)) / (1 - e^(-0.02 240)); the share below 16 + 35.
  int below = 0;
  for (const auto& [length, count] : counts) below += length < 51 ? count : 0;
  const double expected = (1 - std::exp(-0.7)) / (1 - std::exp(-4.8));
  EXPECT_NEAR(below / double{kSamples}, expected, 6 * std::sqrt(0.25 / kSamples));
}

TEST(SeriesLengthsTest, BinsAreDrawnByTheirWeights) {
  VariableLengthParams params = range(16, 64, "fixed_bins");
  params.length_bins = {16, 32, 64};
  params.bin_weights = {1, 0, 3};
  const auto counts = histogram(lengths_of(params));
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_NEAR(counts.at(16) / double{kSamples}, 0.25, 6 * std::sqrt(0.1875 / kSamples));
}

TEST(SeriesLengthsTest, TheSameDrawIsTheSameLength) {
  const SeriesLengths one = lengths_of(range(1, 500), 7), again = lengths_of(range(1, 500), 7);
  const SeriesLengths other = lengths_of(range(1, 500), 8);
  int seeds = 0, epochs = 0;
  for (int n = 0; n < 100; ++n) {
    EXPECT_EQ(one.length(3, n, kLong), again.length(3, n, kLong));
    seeds += one.length(3, n, kLong) != other.length(3, n, kLong);
    epochs += one.length(3, n, kLong) != one.length(4, n, kLong);
  }
  EXPECT_GT(seeds, 90);
  EXPECT_GT(epochs, 90);
}

TEST(SeriesLengthsTest, NoSampleIsLongerThanItIs) {
  const SeriesLengths lengths = lengths_of(range(8, 64));
  for (int n = 0; n < 200; ++n) EXPECT_LE(lengths.length(0, n, n % 20 + 1), n % 20 + 1);
}

TEST(SeriesLengthsTest, TheCurriculumFallsFromItsStartToTheLeast) {
  VariableLengthParams params = range(16, 256);
  params.use_length_curriculum = true;
  params.curriculum_epochs = 10;
  params.curriculum_start_min = 116;
  const std::map<std::string, int64_t> middle = {
      {"linear", 66}, {"cosine", 66}, {"exponential", 116 - 91}};  // 100 (1 - e^-2.5) = 91.8
  for (const auto& [schedule, expected] : middle) {
    params.curriculum_schedule = schedule;
    const SeriesLengths lengths = lengths_of(params);
    EXPECT_EQ(lengths.least(0), 116) << schedule;
    EXPECT_NEAR(static_cast<double>(lengths.least(5)), static_cast<double>(expected), 1) << schedule;
    EXPECT_EQ(lengths.least(10), 16) << schedule;
    EXPECT_EQ(lengths.least(1000), 16) << schedule;
  }
}

TEST(SeriesLengthsTest, TheCurriculumBeginsAtTheLongestAndLeavesOutShortBins) {
  VariableLengthParams params = range(16, 64, "fixed_bins");
  params.use_length_curriculum = true;
  params.curriculum_epochs = 4;
  params.length_bins = {16, 32, 64};
  const SeriesLengths lengths = lengths_of(params);
  EXPECT_EQ(histogram(lengths, 0).size(), 1u);
  EXPECT_EQ(histogram(lengths, 0).begin()->first, 64);
  EXPECT_EQ(histogram(lengths, 3).begin()->first, 32);  // least 64 - 0.75 * 48 = 28
  EXPECT_EQ(histogram(lengths, 4).size(), 3u);
}

TEST(SeriesLengthsTest, ValidationLooksAtTheBinsOrAtEqualRatios) {
  VariableLengthParams params = range(16, 256);
  EXPECT_EQ(lengths_of(params).validation_lengths(), (std::vector<int64_t>{16, 32, 64, 128, 256}));
  params.length_bins = {20, 200};
  EXPECT_EQ(lengths_of(params).validation_lengths(), (std::vector<int64_t>{20, 200}));
  EXPECT_EQ(lengths_of(range(2, 3)).validation_lengths(), (std::vector<int64_t>{2, 3}));
}

TEST(SeriesLengthsTest, RefusesContradictionsWithThePlace) {
  try {
    lengths_of(range(9, 8));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config);
    EXPECT_STREQ(error.what(),
                 "families.t.encoder_params.variable_length.min_timesteps is 9, max_timesteps 8; "
                 "the range needs min below max");
  }
}

}  // namespace
}  // namespace tessera
