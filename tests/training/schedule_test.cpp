#include "training/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tessera {
namespace {

constexpr int64_t kSteps = 5;  // an epoch

TrainingConfig training(const std::string& kind) {
  TrainingConfig config;
  config.num_epochs = 4;
  config.learning_rate = 0.02;
  config.schedule.kind = kind;
  return config;
}

/// The model's rate at step `step` (from 1) over its unscaled value.
double factor(const TrainingConfig& config, int64_t step) {
  const auto rows = schedule_rows(config, (step - 1) / kSteps, kSteps);
  return rows[static_cast<size_t>((step - 1) % kSteps)].learning_rate[kModelGroup] /
         config.learning_rate;
}

constexpr double kRounding = 2e-7;  // the rate is a float: 2^-24 relative, and one more for slack

TEST(ScheduleTest, ConstantIsTheRateAtEveryStep) {
  for (int64_t step = 1; step <= 20; ++step)
    EXPECT_NEAR(factor(training("constant"), step), 1, kRounding) << step;
}

TEST(ScheduleTest, WarmUpRisesLinearlyToTheFullRate) {
  TrainingConfig config = training("constant");
  config.schedule.warmup_steps = 8;
  EXPECT_NEAR(factor(config, 1), 1.0 / 8, kRounding);
  EXPECT_NEAR(factor(config, 6), 6.0 / 8, kRounding);  // across an epoch's end
  EXPECT_NEAR(factor(config, 8), 1, kRounding);
  EXPECT_NEAR(factor(config, 9), 1, kRounding);
}

TEST(ScheduleTest, CosineFallsFromTheEndOfTheWarmUpToItsFinalFraction) {
  TrainingConfig config = training("cosine");
  config.schedule.warmup_steps = 4;
  config.schedule.final_fraction = 0.1;
  EXPECT_NEAR(factor(config, 2), 0.5, kRounding);
  EXPECT_NEAR(factor(config, 4), 1, kRounding);
  EXPECT_NEAR(factor(config, 12), 0.55, kRounding);  // half way, (1 + 0.1) / 2
  EXPECT_NEAR(factor(config, 8), 0.1 + 0.9 * (1 + std::cos(M_PI / 4)) / 2, kRounding);
  EXPECT_NEAR(factor(config, 20), 0.1, kRounding);
}

TEST(ScheduleTest, CosineThatIsAllWarmUpStillTrains) {
  TrainingConfig config = training("cosine");
  config.schedule.warmup_steps = 40;
  EXPECT_NEAR(factor(config, 20), 0.5, kRounding);
}

TEST(ScheduleTest, StepFallsEveryFewEpochs) {
  TrainingConfig config = training("step");
  config.schedule.step_epochs = 2;
  config.schedule.gamma = 0.5;
  EXPECT_NEAR(factor(config, 1), 1, kRounding);
  EXPECT_NEAR(factor(config, 2 * kSteps), 1, kRounding);
  EXPECT_NEAR(factor(config, 2 * kSteps + 1), 0.5, kRounding);
  EXPECT_NEAR(factor(config, 4 * kSteps), 0.5, kRounding);
}

TEST(ScheduleTest, ExponentialFallsByTheEpoch) {
  TrainingConfig config = training("exponential");
  config.schedule.step_epochs = 2;
  config.schedule.gamma = 0.5;
  EXPECT_NEAR(factor(config, kSteps), 1, kRounding);
  EXPECT_NEAR(factor(config, kSteps + 1), std::sqrt(0.5), kRounding);
  EXPECT_NEAR(factor(config, 3 * kSteps + 1), std::pow(0.5, 1.5), kRounding);
}

TEST(ScheduleTest, CodebooksHaveTheirOwnRateWhereGiven) {
  TrainingConfig config = training("constant");
  EXPECT_FLOAT_EQ(schedule_rows(config, 0, kSteps)[0].learning_rate[kCodebookGroup], 0.02f);
  config.codebook_learning_rate = 0.5;
  EXPECT_FLOAT_EQ(schedule_rows(config, 0, kSteps)[0].learning_rate[kCodebookGroup], 0.5f);
  EXPECT_FLOAT_EQ(schedule_rows(config, 0, kSteps)[0].learning_rate[kModelGroup], 0.02f);
}

TEST(ScheduleTest, BiasCorrectionCountsStepsOverAllEpochs) {
  TrainingConfig config = training("constant");
  config.gradient_clip_norm = 3;
  const ScheduleRow row = schedule_rows(config, 2, kSteps)[1];  // step 12
  EXPECT_FLOAT_EQ(row.beta1_correction, static_cast<float>(1 - std::pow(double(row.beta1), 12)));
  EXPECT_FLOAT_EQ(row.beta2_correction, static_cast<float>(1 - std::pow(double(row.beta2), 12)));
  EXPECT_EQ(row.clip_norm[kModelGroup], 3);
}

}  // namespace
}  // namespace tessera
