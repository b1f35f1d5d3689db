#include "tessera/category_assignment.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "testing/backends.h"
#include "testing/numbers.h"

namespace tessera {
namespace {

using Features = std::vector<int32_t>;

/// Features 0 to 2 with categories 0 and 1, feature 3 with category 2, features 4 to 6 with 3 to 5.
std::vector<CategoryFamily> families() {
  std::vector<CategoryFamily> all = {{.features = 3, .categories = 2},
                                     {.features = 1, .categories = 1},
                                     {.features = 3, .categories = 3}};
  CategoryFamily::pack(all);
  return all;
}
/// One family of `features` features and `categories` categories.
std::vector<CategoryFamily> one_family(int32_t features, int32_t categories) {
  return {{.features = features, .categories = categories}};
}
const Features kCategoryOf = {1, 0, 1, 2, 5, 3, 5};

TEST(CategoryLogitsTest, StartAtTheCategoriesWithConfidence) {
  const std::vector<float> logits = initial_logits(families(), kCategoryOf, 1.5);
  for (size_t i = 0; i < kCategoryOf.size(); ++i)
    EXPECT_EQ(logits[i * 6 + size_t(kCategoryOf[i])], 1.5f);
  EXPECT_EQ(logits[0], -1.5f) << "another category of the family";
  EXPECT_EQ(logits[2], 0) << "a category of another family";
  EXPECT_EQ(hard_assignment(families(), logits), kCategoryOf);
}

TEST(CategoryLogitsTest, FeaturesWithoutACategoryStartEven) {
  const std::vector<float> soft =
      soft_assignment(families(), initial_logits(families(), Features{-1, 0, 1, 2, 3, 4, -1}));
  EXPECT_EQ(soft[0], 0.5f);
  EXPECT_EQ(soft[1], 0.5f);
  EXPECT_FLOAT_EQ(soft[6 * 6 + 4], 1.0f / 3);
}

TEST(CategoryLogitsTest, ACategoryOfAnotherFamilyIsRefused) {
  EXPECT_EQ(testing::error_of([] {
              initial_logits(families(), Features{0, 0, 2, 2, 3, 3, 3});
            }).find("feature 2 is in category 2, its family has categories 0 to 1"),
            0u);
}

TEST(CategoryLogitsTest, RandomOnesAreNormalAndRepeat) {
  const auto family = one_family(500, 8);
  const std::vector<float> logits = random_logits(family, 3);
  double sum = 0, squares = 0;
  for (const float logit : logits) sum += double(logit), squares += double(logit) * double(logit);
  EXPECT_NEAR(sum / 4000, 0, 0.01);
  EXPECT_NEAR(std::sqrt(squares / 4000), 0.1, 0.005);
  testing::expect_same_bits(random_logits(family, 3), logits);
  EXPECT_NE(random_logits(family, 4), logits);
}

TEST(SoftAssignmentTest, IsWhatTheKernelGives) {
  const auto logits = testing::uniform<float>(7 * 6, 1, -4, 4);
  const FamilyTable table(families(), {});
  const Tensor kernel =
      category_assignment(table, Var(Tensor::from_host(7, 6, logits)), {.temperature = 0.4f})
          .value();
  const std::vector<float> values = kernel.to_host();
  testing::expect_close(soft_assignment(families(), logits, 0.4), {values.begin(), values.end()},
                        1e-6);
}

TEST(HardAssignmentTest, TakesTheFirstOfEqualsWithinTheFamily) {
  std::vector<float> values(7 * 6, 0.5f);
  values[2] = 9;  // another family's category
  values[4 * 6 + 4] = 0.6f;
  EXPECT_EQ(hard_assignment(families(), values), (Features{0, 0, 0, 2, 4, 3, 3}));
}

TEST(CategoryMassesTest, AreColumnSums) {
  EXPECT_EQ(category_masses(std::vector<float>{1, 0, 0.25f, 0.75f, 0.5f, 0.5f}, 2),
            (std::vector<double>{1.75, 1.25}));
}

TEST(NormalizedEntropyTest, IsOneForEvenRowsAndZeroForChosenOnes) {
  const auto family = one_family(3, 4);
  EXPECT_NEAR(normalized_entropy(family, std::vector<float>(12, 0.25f)), 1, 1e-12);
  EXPECT_EQ(normalized_entropy(family, std::vector<float>{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1}), 0);
  const auto half = std::vector<float>{0.5f, 0.5f, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1};
  EXPECT_NEAR(normalized_entropy(family, half), 0.5 / 3, 1e-12);
  EXPECT_EQ(normalized_entropy(one_family(2, 1), std::vector<float>{1, 1}), 0);
}

TEST(ActiveFeaturesTest, AreThoseWithAShareAndNeverNone) {
  const std::vector<float> shares = {0.7f, 0.3f,  0,  //
                                     0.9f, 0.1f,  0,  //
                                     0.8f, 0.15f, 0.05f};
  const auto active = active_features(one_family(3, 3), shares, 0.15);
  EXPECT_EQ(active[0], (Features{0, 1, 2}));
  EXPECT_EQ(active[1], (Features{0, 2}));
  EXPECT_EQ(active[2], Features{2}) << "the largest, although it is small";
  EXPECT_EQ(active_features(one_family(3, 3), shares, 0)[2], (Features{0, 1, 2}));
}

TEST(ActiveFeaturesTest, StayWithinTheFamily) {
  const std::vector<float> soft = soft_assignment(families(), std::vector<float>(42));
  const auto active = active_features(families(), soft);
  EXPECT_EQ(active[1], (Features{0, 1, 2}));
  EXPECT_EQ(active[2], Features{3});
  EXPECT_EQ(active[5], (Features{4, 5, 6}));
}

TEST(CollapsedCategoryTest, IsTheOneThatHasAWholeFamily) {
  EXPECT_FALSE(collapsed_category(families(), kCategoryOf));
  EXPECT_EQ(collapsed_category(families(), Features{1, 0, 1, 2, 4, 4, 4}), 4);
  EXPECT_FALSE(collapsed_category(one_family(3, 1), Features{0, 0, 0})) << "no choice";
}

TEST(ModularityMatrixTest, GivesTheModularityOfHardCategories) {
  // Two pairs that correlate by 0.9 inside and 0.1 outside; a feature that is not a number.
  std::vector<double> r(25, 0.1);
  for (const size_t i : {0, 1, 2, 3}) r[i * 5 + i] = 1;
  for (const size_t e : {0 * 5 + 1, 1 * 5 + 0, 2 * 5 + 3, 3 * 5 + 2}) r[size_t(e)] = -0.9;
  for (size_t i = 0; i < 5; ++i)
    r[i * 5 + 4] = r[4 * 5 + i] = std::numeric_limits<double>::quiet_NaN();
  const std::vector<float> matrix = modularity_matrix(r, 5);
  const auto found =
      modularity(Var(Tensor::from_host(5, 2, std::vector<float>{1, 0, 1, 0, 0, 1, 0, 1, 1, 0})),
                 Tensor::from_host(5, 5, matrix));
  // Edges of 4 * 1.1 in all; inside each pair 1.8, its degrees 2.2.
  EXPECT_NEAR(found.value().to_host()[0], 2 * (1.8 / 4.4 - 0.25), 1e-6);
  EXPECT_EQ(modularity_matrix(std::vector<double>{1, 0, 0, 1}, 2), std::vector<float>(4));
}

TEST(StrongestCorrelationsTest, TakeTheLargestOfFour) {
  // x_0 and x_1 are unrelated, x_0 and the square of x_1 are not.
  const std::vector<double> r = {1,    0.1, 0,   -0.8,  //
                                 0.1,  1,   0.2, 0,     //
                                 0,    0.2, 1,   0.3,   //
                                 -0.8, 0,   0.3, 1};
  const std::vector<double> found = strongest_correlations(r, 2);
  EXPECT_EQ(found, (std::vector<double>{1, 0.8, 0.8, 1}));
}

}  // namespace
}  // namespace tessera
