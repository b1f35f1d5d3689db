#include <gtest/gtest.h>

#include "tessera/category_assignment.h"
#include "testing/numbers.h"

namespace tessera {
namespace {

using Features = std::vector<int32_t>;

std::vector<CategoryFamily> one_family(int32_t features, int32_t categories) {
  return {{.features = features, .categories = categories}};
}
std::vector<CategoryFamily> small_families() {
  std::vector<CategoryFamily> all = {{.features = 3, .categories = 2},
                                     {.features = 2, .categories = 2}};
  CategoryFamily::pack(all);
  return all;
}

TEST(AdjustedRandIndexTest, IsOneForEqualPartitionsUnderOtherNames) {
  EXPECT_EQ(adjusted_rand_index(Features{0, 0, 1, 2, 2}, Features{7, 7, 3, 5, 5}), 1);
  EXPECT_EQ(adjusted_rand_index(Features{4, 4, 4}, Features{1, 1, 1}), 1) << "a single part each";
  EXPECT_EQ(adjusted_rand_index(Features{}, Features{}), 1);
}

TEST(AdjustedRandIndexTest, MatchesAWorkedExample) {
  // Contingency {{1, 1, 0}, {1, 2, 1}, {0, 0, 4}}: 7 pairs together in both, of 45.
  const Features a = {0, 0, 1, 1, 1, 1, 2, 2, 2, 2}, b = {0, 1, 0, 1, 1, 2, 2, 2, 2, 2};
  // Columns hold 2, 3 and 5 features: 1 + 3 + 10 = 14 pairs; rows 2, 4 and 4: 1 + 6 + 6 = 13.
  const double expected = 13.0 * 14 / 45;
  EXPECT_NEAR(adjusted_rand_index(a, b), (7 - expected) / (13.5 - expected), 1e-15);
}

TEST(AdjustedRandIndexTest, IsAboutZeroForIndependentPartitions) {
  const Features a = testing::integers(5000, 1, 6), b = testing::integers(5000, 2, 6);
  EXPECT_NEAR(adjusted_rand_index(a, b), 0, 0.01);
}

TEST(AssignmentRepairTest, CountsWhoComesHomeAndWhoLeaves) {
  //                        block 0        block 1     nuisance
  const Features blocks = {0, 0, 0, 0, 0, 1, 1, 1, 1, -1};
  const Features before = {4, 4, 4, 2, 2, 2, 2, 2, 4, 0};
  // Block 0 moves to category 1 as a whole, with one of its lost features; block 1 loses one.
  const Features after = {1, 1, 1, 1, 2, 2, 2, 0, 2, 3};
  const AssignmentRepair count = count_repairs(blocks, before, after);
  EXPECT_EQ(count.misplaced, 3);
  EXPECT_EQ(count.repaired, 2);
  EXPECT_EQ(count.right, 6);
  EXPECT_EQ(count.broken, 1);
}

TEST(AssignmentRepairTest, NothingHappensWhereNothingMoves) {
  const Features blocks = {0, 0, 0, 1, 1, 1}, before = {0, 0, 1, 1, 1, 0};
  const AssignmentRepair count = count_repairs(blocks, before, before);
  EXPECT_EQ(count.misplaced, 2);
  EXPECT_EQ(count.repaired, 0);
  EXPECT_EQ(count.broken, 0);
  EXPECT_EQ(changed_features(before, before), 0);
  EXPECT_EQ(changed_features(before, blocks), 2);
}

TEST(PruningPlanTest, SmallestGoFirstAndFeaturesTakeTheirNextBest) {
  // Categories of 3, 1, 2 features; logits by rows.
  const std::vector<float> logits = {5, 0, 1,   //
                                     5, 0, 1,   //
                                     5, 0, 1,   //
                                     1, 5, 2,   // next best 2
                                     3, 1, 5,   //
                                     0, 4, 5};  // next best 1, which is gone by then
  const PruningPlan small = plan_pruning(one_family(6, 3), logits, {.min_features = 2});
  EXPECT_EQ(small.removed, Features{1});
  EXPECT_EQ(small.category_of, (Features{0, 0, 0, 2, 2, 2}));
  const PruningPlan more = plan_pruning(one_family(6, 3), logits, {.min_features = 4});
  EXPECT_EQ(more.removed, (Features{1, 2}));
  EXPECT_EQ(more.category_of, Features(6, 0));
  EXPECT_TRUE(plan_pruning(one_family(6, 3), logits, {.min_features = 1}).removed.empty());
}

TEST(PruningPlanTest, AFamilyKeepsOneCategory) {
  const PruningPlan plan =
      plan_pruning(small_families(), testing::uniform<float>(20, 1), {.min_features = 100});
  EXPECT_EQ(plan.removed.size(), 2u);
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(plan.category_of[i] / 2, i < 3 ? 0 : 1);
}

TEST(PruningPlanTest, UselessCategoriesGoWhateverTheirSize) {
  const std::vector<float> logits = {5, 0, 1, 5, 0, 1, 5, 1, 0, 0, 5, 1, 0, 5, 1, 0, 1, 5, 1, 0, 5};
  const PruningPlan plan =
      plan_pruning(one_family(7, 3), logits, {.min_features = 1, .min_usefulness = 0.1},
                   std::vector<double>{0.01, 0.5, 0.3});
  EXPECT_EQ(plan.removed, Features{0});
  EXPECT_EQ(plan.category_of, (Features{2, 2, 1, 1, 1, 2, 2}));
}

/// |r| 0.8 within blocks of the given sizes, `between` outside.
std::vector<double> block_correlations(const Features& block_of, double between) {
  std::vector<double> r;
  for (const int32_t a : block_of)
    for (const int32_t b : block_of) r.push_back(a == b ? -0.8 : between);
  return r;
}

TEST(MergingPlanTest, ASplitBlockIsJoined) {
  const Features blocks = {0, 0, 0, 0, 1, 1, 1};
  const MergingPlan plan = plan_merging(one_family(7, 4), Features{0, 0, 3, 3, 1, 1, 1},
                                        block_correlations(blocks, 0.2));
  ASSERT_EQ(plan.pairs.size(), 1u);
  EXPECT_EQ(plan.pairs[0].kept, 0);
  EXPECT_EQ(plan.pairs[0].absorbed, 3);
  EXPECT_NEAR(plan.pairs[0].likeness, 1, 1e-12);
  EXPECT_EQ(plan.category_of, (Features{0, 0, 0, 0, 1, 1, 1}));
}

TEST(MergingPlanTest, LikenessIsTakenAnewAfterAMerge) {
  // Three parts of one block: two merges. The other block is 0.5 / 0.8 alike.
  const Features blocks = {0, 0, 0, 0, 0, 0, 1, 1};
  const Features start = {0, 0, 1, 1, 2, 2, 3, 3};
  const std::vector<double> r = block_correlations(blocks, 0.5);
  const MergingPlan plan = plan_merging(one_family(8, 4), start, r, 0.7);
  EXPECT_EQ(plan.pairs.size(), 2u);
  EXPECT_EQ(plan.category_of, (Features{0, 0, 0, 0, 0, 0, 3, 3}));
  EXPECT_EQ(plan_merging(one_family(8, 4), start, r, 0.6).pairs.size(), 3u);
}

TEST(MergingPlanTest, FamiliesAreNotMixedAndEmptyCategoriesStay) {
  const std::vector<double> r(25, 1.0);
  const MergingPlan plan = plan_merging(small_families(), Features{0, 0, 0, 2, 3}, r);
  ASSERT_EQ(plan.pairs.size(), 1u);
  EXPECT_EQ(plan.category_of, (Features{0, 0, 0, 2, 2}));
}

}  // namespace
}  // namespace tessera
