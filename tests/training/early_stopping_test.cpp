#include "training/early_stopping.h"

#include <gtest/gtest.h>

namespace tessera {
namespace {

using Lines = std::vector<std::string>;

/// The epoch in which it stops, of losses seen every `interval` epochs; 0 where it does not.
uint64_t stop_epoch(const std::vector<double>& losses, int64_t patience, double min_delta = 0,
                    uint64_t interval = 1) {
  EarlyStoppingState state;
  EarlyStopping stopping(patience, min_delta, state);
  uint64_t epoch = 0;
  for (const double loss : losses) {
    epoch += interval;
    stopping.observe(epoch, loss);
    if (stopping.stops()) return epoch;
  }
  return 0;
}

TEST(EarlyStoppingTest, StopsAfterPatienceEpochsWithoutImprovement) {
  EXPECT_EQ(stop_epoch({3, 2, 2, 2, 2, 2}, 3), 5u);
  EXPECT_EQ(stop_epoch({3, 2, 2, 2}, 3), 0u);
}

TEST(EarlyStoppingTest, AnImprovementBeginsTheCountAnew) {
  EXPECT_EQ(stop_epoch({3, 3, 3, 2, 2, 2, 2}, 3), 7u);
}

TEST(EarlyStoppingTest, CountsEpochsNotValidations) {
  // Best in epoch 5; in epoch 15 ten epochs have passed, but only two validations.
  EXPECT_EQ(stop_epoch({2, 2, 2, 2, 2}, 10, 0, 5), 15u);
}

TEST(EarlyStoppingTest, ImprovesByMoreThanMinDeltaOnly) {
  EXPECT_EQ(stop_epoch({2, 1.5, 1.0, 1.0}, 2, 0.5), 0u);    // 2 -> 1.5 does not count, 1.0 does
  EXPECT_EQ(stop_epoch({2, 1.75, 1.5, 1.25}, 3, 0.5), 0u);  // 1.25 < 2 - 0.5
  EXPECT_EQ(stop_epoch({2, 1.75, 1.5, 1.5}, 3, 0.5), 4u);
}

TEST(EarlyStoppingTest, PatienceOfZeroNeverStopsAndSaysNothing) {
  EarlyStoppingState state;
  EarlyStopping stopping(0, 0, state);
  for (uint64_t epoch = 1; epoch <= 40; ++epoch) EXPECT_EQ(stopping.observe(epoch, 1), Lines());
  EXPECT_FALSE(stopping.stops());
  EXPECT_EQ(stopping.epochs_without_improvement(), 39);
}

TEST(EarlyStoppingTest, SaysWhatTheSeedsSay) {
  EarlyStoppingState state;
  EarlyStopping stopping(12, 0, state);
  EXPECT_EQ(stopping.observe(1, 0.25),
            Lines{"  [EarlyStopping] Improvement at epoch 1, new best loss: 0.250000"});
  for (uint64_t epoch = 2; epoch <= 10; ++epoch) EXPECT_EQ(stopping.observe(epoch, 1), Lines());
  EXPECT_EQ(stopping.observe(11, 1),
            Lines{"  [EarlyStopping] No improvement for 10 epochs (patience: 12)"});
  EXPECT_EQ(stopping.observe(12, 1), Lines());
  EXPECT_EQ(stopping.observe(13, 1),
            Lines{"  [EarlyStopping] Stopping at epoch 13, best loss: 0.250000"});
}

TEST(EarlyStoppingTest, ReportsTensThatValidationsStepOver) {
  EarlyStoppingState state;
  EarlyStopping stopping(100, 0, state);
  std::vector<uint64_t> reported;
  for (uint64_t epoch = 4; epoch <= 40; epoch += 4)
    if (!stopping.observe(epoch, 1).empty()) reported.push_back(epoch);
  EXPECT_EQ(reported,
            (std::vector<uint64_t>{4, 16, 24, 36}));  // best at 4; 12, 20, 32 epochs later
}

TEST(EarlyStoppingTest, GoesOnFromACopyOfItsState) {
  EarlyStoppingState state;
  EarlyStopping stopping(3, 0, state);
  stopping.observe(1, 2);
  stopping.observe(2, 2);
  EarlyStoppingState restored = state;
  EarlyStopping resumed(3, 0, restored);
  resumed.observe(3, 2);
  EXPECT_FALSE(resumed.stops());
  resumed.observe(4, 2);
  EXPECT_TRUE(resumed.stops());
}

}  // namespace
}  // namespace tessera
