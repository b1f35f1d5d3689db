#include "tessera/temperature.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tessera/error.h"

namespace tessera {
namespace {

TemperatureOptions plain(const std::string& schedule) { return {1, 0.1, schedule, 0}; }

TEST(TemperatureTest, EverySchedule) {
  // The middle of 5 epochs is q = 1/2.
  EXPECT_DOUBLE_EQ(temperature_at(plain("linear"), 3, 5), 0.55);
  EXPECT_DOUBLE_EQ(temperature_at(plain("exponential"), 3, 5), std::sqrt(0.1));
  EXPECT_DOUBLE_EQ(temperature_at(plain("cosine"), 3, 5), 0.55);
  EXPECT_NEAR(temperature_at(plain("cosine"), 2, 5), 0.1 + 0.9 * (1 + std::sqrt(0.5)) / 2, 1e-15);
}

TEST(TemperatureTest, StartsAtTheStartAndEndsAtTheEnd) {
  for (const std::string_view schedule : temperature_schedules())
    for (const double hold : {0.0, 0.6, 0.99}) {
      const TemperatureOptions options{2, 0.25, std::string(schedule), hold};
      EXPECT_EQ(temperature_at(options, 1, 10), 2) << schedule;
      EXPECT_NEAR(temperature_at(options, 10, 10), 0.25, 1e-15) << schedule;
      EXPECT_NEAR(temperature_at(options, 11, 10), 0.25, 1e-15) << schedule << " after the last";
      EXPECT_EQ(temperature_at(options, 1, 1), 2) << schedule << " of one epoch";
    }
}

TEST(TemperatureTest, IsHeldForAShareOfTheRun) {
  const TemperatureOptions options{1, 0.1, "exponential", 0.6};
  for (const int64_t epoch : {1, 2, 6, 7}) EXPECT_EQ(temperature_at(options, epoch, 11), 1);
  EXPECT_NEAR(temperature_at(options, 9, 11), std::sqrt(0.1), 1e-12);  // p 0.8: half of the rest
  EXPECT_EQ(temperature_at({1, 0.1, "linear", 1}, 11, 11), 1);
}

TEST(TemperatureTest, IsConstantOrFallsFromEpochToEpoch) {
  for (const std::string_view schedule : temperature_schedules()) {
    const TemperatureOptions options{1, 0.1, std::string(schedule), 0.3};
    for (int64_t epoch = 2; epoch <= 50; ++epoch)
      EXPECT_LE(temperature_at(options, epoch, 50), temperature_at(options, epoch - 1, 50));
  }
}

TEST(TemperatureTest, WrongOptionsAreRefused) {
  for (const TemperatureOptions& options :
       {TemperatureOptions{0, 0.1, "linear", 0}, TemperatureOptions{1, -1, "linear", 0},
        TemperatureOptions{1, 0.1, "stepwise", 0}, TemperatureOptions{1, 0.1, "linear", 1.5}})
    try {
      temperature_at(options, 1, 2);
      ADD_FAILURE() << "accepted " << options.schedule;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Config);
    }
}

TEST(AdaptiveTemperatureTest, CoolsOnlyWhenTheAssignmentRests) {
  const AdaptiveTemperature options{.start = 1, .end = 0.5, .cooling = 0.8};
  AdaptiveState state = after_epoch(options, {}, 0.9, 3);
  EXPECT_EQ(state.temperature, 1) << "nothing to compare the first entropy with";
  state = after_epoch(options, state, 0.8, 3);
  EXPECT_EQ(state.temperature, 1) << "the entropy still falls";
  state = after_epoch(options, state, 0.79, 3);
  EXPECT_EQ(state.temperature, 0.8);
  for (int epoch = 0; epoch < 9; ++epoch) state = after_epoch(options, state, 0.79, 3);
  EXPECT_EQ(state.temperature, 0.5) << "the end is the end";
  EXPECT_FALSE(state.is_settled);
}

TEST(AdaptiveTemperatureTest, StaysOnceFeaturesHaveChosen) {
  const AdaptiveTemperature options{.settled = 0.05, .patience = 2};
  AdaptiveState state = after_epoch(options, {}, 0.04, 1);
  state = after_epoch(options, state, 0.04, 0);
  EXPECT_FALSE(state.is_settled) << "one epoch without a change";
  const double reached = state.temperature;
  state = after_epoch(options, state, 0.04, 0);
  EXPECT_TRUE(state.is_settled);
  state = after_epoch(options, state, 0.3, 5);
  EXPECT_TRUE(state.is_settled);
  EXPECT_EQ(state.temperature, reached);
}

TEST(AdaptiveTemperatureTest, AChangeStartsThePatienceAgain) {
  const AdaptiveTemperature options{.patience = 2};
  AdaptiveState state;
  for (const int64_t changed : {0, 1, 0}) state = after_epoch(options, state, 0.01, changed);
  EXPECT_EQ(state.unchanged, 1);
  EXPECT_FALSE(state.is_settled);
}

}  // namespace
}  // namespace tessera
