#include "training/dead_code_policy.h"

#include <gtest/gtest.h>

#include <vector>

namespace tessera {
namespace {

/// Ten epochs of each value, as the policy sees them at the end of `epoch`.
struct Case {
  std::vector<double> used;  ///< means of the use: two, or one for a history of one epoch
  std::vector<double> loss = {1.0, 1.0};
  uint64_t epoch = 60, last_reset = 0;
  std::vector<CategoryUse> categories = {};
  int64_t waited = 0;  ///< epochs without improvement

  DeadCodeDecision decide() const {
    DeadCodeHistory history;
    if (used.size() == 1) history.add(used[0], loss[0]);
    for (size_t i = 0; i < 2 && used.size() == 2; ++i)
      for (int n = 0; n < 10; ++n) history.add(used[i], loss[i]);
    history.last_reset = static_cast<double>(last_reset);
    return decide_dead_code_reset({epoch, history, categories, 0.1, waited});
  }
  bool resets() const { return decide().reset; }
};

TEST(CollapsedUtilizationTest, RisesWithTheFeaturesOfACategory) {
  EXPECT_DOUBLE_EQ(collapsed_utilization(0), 0.10);
  EXPECT_DOUBLE_EQ(collapsed_utilization(5), 0.05);
  EXPECT_DOUBLE_EQ(collapsed_utilization(15), 0.10);
  EXPECT_DOUBLE_EQ(collapsed_utilization(50), 0.149);
  EXPECT_DOUBLE_EQ(collapsed_utilization(51), 0.15);
}

TEST(DeadCodePolicyTest, StuckLowUseIsReset) {
  const DeadCodeDecision decision = Case{.used = {0.2, 0.2}}.decide();
  EXPECT_TRUE(decision.reset);
  EXPECT_DOUBLE_EQ(decision.max_fraction, 0.1);
  EXPECT_EQ(decision.reason, "low use: 20.0% of the codes");
}

TEST(DeadCodePolicyTest, GoodUseIsLeftAlone) {
  EXPECT_FALSE((Case{.used = {0.26, 0.26}}.resets()));
  EXPECT_TRUE((Case{.used = {0.25, 0.249}}.resets()));
}

TEST(DeadCodePolicyTest, IntervalsGrowAndSharesShrinkWithTheAgeOfTheRun) {
  const std::vector<double> low = {0.1, 0.1};
  EXPECT_FALSE((Case{.used = low, .epoch = 49}.resets()));
  EXPECT_TRUE((Case{.used = low, .epoch = 50}.resets()));
  EXPECT_FALSE((Case{.used = low, .epoch = 149, .last_reset = 50}.resets()));
  EXPECT_TRUE((Case{.used = low, .epoch = 150, .last_reset = 50}.resets()));
  EXPECT_FALSE((Case{.used = low, .epoch = 349, .last_reset = 150}.resets()));
  EXPECT_TRUE((Case{.used = low, .epoch = 350, .last_reset = 150}.resets()));
  EXPECT_DOUBLE_EQ((Case{.used = low, .epoch = 150}.decide().max_fraction), 0.07);
  EXPECT_DOUBLE_EQ((Case{.used = low, .epoch = 350}.decide().max_fraction), 0.05);
}

TEST(DeadCodePolicyTest, ACollapsedCategoryIsAnEmergencyHoweverGoodTheOthers) {
  Case one{.used = {0.9, 0.9}, .categories = {{"wide", 30, 0.9}, {"narrow", 5, 0.04}}};
  EXPECT_EQ(one.decide().reason, "category emergency: narrow uses 4.0% of its codes, below 5.0%");
  EXPECT_TRUE(one.resets());
  one.categories[1].utilization = 0.05;
  EXPECT_FALSE(one.resets());
}

TEST(DeadCodePolicyTest, ACategoryEmergencyWaitsHalfAnInterval) {
  Case one{.used = {0.9, 0.9}, .categories = {{"narrow", 5, 0.0}}};
  one.epoch = 24;
  EXPECT_FALSE(one.resets());
  one.epoch = 25;
  EXPECT_TRUE(one.resets());
  one.epoch = 149, one.last_reset = 100;
  EXPECT_FALSE(one.resets());
  one.epoch = 150;
  EXPECT_TRUE(one.resets());
}

TEST(DeadCodePolicyTest, AFallOfTheUseIsACollapse) {
  Case one{.used = {0.9, 0.8}, .epoch = 31, .last_reset = 21};
  EXPECT_EQ(one.decide().reason, "collapse: use fell from 90.0% to 80.0%");
  EXPECT_TRUE(one.resets());
  one.used = {0.9, 0.86};
  EXPECT_FALSE(one.resets());
}

TEST(DeadCodePolicyTest, ACollapseWaitsTenEpochs) {
  Case one{.used = {0.9, 0.8}, .epoch = 30, .last_reset = 21};
  EXPECT_FALSE(one.resets());
  one.epoch = 20, one.last_reset = 0;
  EXPECT_FALSE(one.resets()) << "twenty epochs are not yet a trend";
}

TEST(DeadCodePolicyTest, AnEmergencyAsksNothingElse) {
  EXPECT_TRUE((Case{.used = {0.1, 0.14}, .loss = {2, 1}, .waited = 99}.resets()));
}

TEST(DeadCodePolicyTest, RecoveringUseIsLeftAlone) {
  EXPECT_FALSE((Case{.used = {0.18, 0.2}}.resets()));
  EXPECT_TRUE((Case{.used = {0.22, 0.2}}.resets())) << "it falls";
}

TEST(DeadCodePolicyTest, AFallingLossIsLeftAlone) {
  EXPECT_FALSE((Case{.used = {0.2, 0.2}, .loss = {1, 0.99}}.resets()));
  EXPECT_TRUE((Case{.used = {0.2, 0.2}, .loss = {1, 0.996}}.resets()));
}

TEST(DeadCodePolicyTest, ARunAboutToEndIsLeftAlone) {
  EXPECT_FALSE((Case{.used = {0.2, 0.2}, .waited = 31}.resets()));
  EXPECT_TRUE((Case{.used = {0.2, 0.2}, .waited = 30}.resets()));
}

TEST(DeadCodePolicyTest, AShortHistoryHasNoTrend) {
  EXPECT_TRUE((Case{.used = {0.2}}.resets()));
  EXPECT_FALSE((Case{.used = {0.3}}.resets()));
}

TEST(DeadCodeHistoryTest, KeepsTheLastTwentyEpochs) {
  DeadCodeHistory history;
  for (int epoch = 1; epoch <= 23; ++epoch) history.add(epoch, -epoch);
  EXPECT_EQ(history.size(), 20);
  EXPECT_EQ(history.utilization[0], 4);
  EXPECT_EQ(history.utilization[19], 23);
  EXPECT_EQ(history.loss[19], -23);
}

}  // namespace
}  // namespace tessera
