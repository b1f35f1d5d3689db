#include "tessera/assignment_ops.h"
#include "testing/gradcheck.h"
#include "testing/numbers.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using gradcheck::expect_gradients;
using testing::uniform;

constexpr int64_t kRows = 7, kFeatures = 5, kCategories = 4, kLevels = 2;

std::vector<CategoryFamily> two_families() {
  std::vector<CategoryFamily> families = {{.features = 3, .categories = 2},
                                          {.features = 2, .categories = 2}};
  CategoryFamily::pack(families);
  return families;
}

Tensor constant(int64_t rows, int64_t cols, uint64_t seed) {
  return Tensor::from_host(rows, cols, uniform<real>(rows * cols, seed));
}
/// Shares well inside (0, 1), where logarithms are smooth; also of features outside the family.
gradcheck::Leaf shares() {
  return {kFeatures, kCategories, uniform<real>(kFeatures * kCategories, 1, 0.2, 0.9)};
}
real value_of(const Var& loss) { return loss.value().to_host()[0]; }

TEST(SoftInformativenessTest, GradientsMatchDifferences) {
  const PartialTable table(two_families(), kLevels, {});
  ASSERT_EQ(table.columns(), kLevels * (2 * 3 + 2 * 2));
  const Var target(constant(kRows, kFeatures, 3));
  const Tensor weight = constant(1, kFeatures, 4);
  const auto group = gradcheck::make_group(
      {shares(), {kRows, table.columns(), uniform<real>(kRows * table.columns(), 2)}});
  expect_gradients(*group, [&](const Pass& pass) {
    return soft_informativeness(table, pass.parameter((*group)[1]), target,
                                pass.parameter((*group)[0]), weight);
  });
}

TEST(SoftInformativenessTest, IsTheWeightedErrorOfEachCodebook) {
  const PartialTable table(two_families(), kLevels, {});
  const Tensor weight = constant(1, kFeatures, 4), x = constant(kRows, kFeatures, 3),
               partial = constant(kRows, table.columns(), 2);
  const gradcheck::Leaf a = shares();
  const std::vector<real> px = partial.to_host(), xx = x.to_host(), ww = weight.to_host();
  double expected = 0;
  int64_t p = 0;
  for (const CategoryFamily& f : two_families())
    for (int32_t k = 0; k < f.categories; ++k)
      for (int64_t l = 0; l < kLevels; ++l)
        for (int64_t i = f.feature_begin; i < f.feature_begin + f.features; ++i, ++p)
          for (int64_t b = 0; b < kRows; ++b) {
            const double off =
                double(px[size_t(b * table.columns() + p)]) - double(xx[size_t(b * kFeatures + i)]);
            expected += double(ww[size_t(i)]) *
                        double(a.values[size_t(i * kCategories + f.category_begin + k)]) * off *
                        off / double(kRows * kLevels);
          }
  const Var assignment(Tensor::from_host(kFeatures, kCategories, a.values));
  EXPECT_NEAR(value_of(soft_informativeness(table, Var(partial), Var(x), assignment, weight)),
              expected, 1e-14);
}

TEST(SoftInformativenessTest, GradientsOfSomeFeaturesMatchDifferences) {
  const std::vector<std::vector<int32_t>> features_of = {{0, 2}, {1}, {3, 4}, {4}};
  const PartialTable table(features_of, kLevels, {});
  ASSERT_EQ(table.columns(), kLevels * 6);
  const Var target(constant(kRows, kFeatures, 3));
  const Tensor weight = constant(1, kFeatures, 4);
  const auto group = gradcheck::make_group(
      {shares(), {kRows, table.columns(), uniform<real>(kRows * table.columns(), 2)}});
  expect_gradients(*group, [&](const Pass& pass) {
    return soft_informativeness(table, pass.parameter((*group)[1]), target,
                                pass.parameter((*group)[0]), weight);
  });
}

TEST(SoftInformativenessTest, OneHotSharesGiveTheInformativenessOfHardCategories) {
  // Three features of categories 1, 0, 1, one level: the weights and columns that hard categories
  // have, in the order of partial columns.
  std::vector<CategoryFamily> families = {{.features = 3, .categories = 2}};
  const PartialTable table(families, 1, {});
  const Var x(constant(kRows, 3, 3)), partial(constant(kRows, 6, 2));
  const Var one_hot(Tensor::from_host(3, 2, std::vector<real>{0, 1, 1, 0, 0, 1}));
  const real third = real(1) / 3;
  const Tensor weight = Tensor::from_host(1, 3, std::vector<real>(3, third));
  const Tensor hard = Tensor::from_host(1, 6, std::vector<real>{0, third, 0, third, 0, third});
  const auto columns = Buffer<int32_t>::from_host(std::vector<int32_t>{0, 1, 2, 0, 1, 2}, Device{});
  EXPECT_NEAR(value_of(soft_informativeness(table, partial, x, one_hot, weight)),
              value_of(weighted_squared_error(partial, x, hard, columns)), 1e-15);
}

TEST(AssignmentOrthogonalityTest, GradientMatchesDifferences) {
  const Var features(constant(kRows, kFeatures, 3));
  const auto group = gradcheck::make_group({shares()});
  expect_gradients(*group, [&](const Pass& pass) {
    return assignment_orthogonality(features, pass.parameter((*group)[0]));
  });
}

TEST(AssignmentOrthogonalityTest, IsOneForEqualColumnsAndZeroForSeparateOnes) {
  // Features that live in different rows of the batch, so that their columns are orthogonal.
  std::vector<real> eye(kFeatures * kFeatures);
  for (size_t i = 0; i < eye.size(); i += kFeatures + 1) eye[i] = 1;
  const Var features(Tensor::from_host(kFeatures, kFeatures, eye));
  const Var same(Tensor::from_host(kFeatures, 2, std::vector<real>(2 * kFeatures, real(0.5))));
  EXPECT_NEAR(value_of(assignment_orthogonality(features, same)), 1, 1e-14);
  const Var apart(Tensor::from_host(kFeatures, 2, std::vector<real>{1, 0, 0, 1, 1, 0, 0, 1, 1, 0}));
  EXPECT_EQ(value_of(assignment_orthogonality(features, apart)), 0);
}

TEST(AssignmentOrthogonalityTest, FeaturesOnATapeAreRefused) {
  const auto group = gradcheck::make_group({shares(), {kRows, kFeatures, uniform<real>(35, 2)}});
  Tape tape;
  const Pass pass{.tape = &tape, .training = true};
  EXPECT_THROW(assignment_orthogonality(pass.parameter((*group)[1]), pass.parameter((*group)[0])),
               Error);
}

TEST(CategoryBalanceTest, GradientMatchesDifferences) {
  const auto group = gradcheck::make_group({shares()});
  expect_gradients(*group,
                   [&](const Pass& pass) { return category_balance(pass.parameter((*group)[0])); });
}

TEST(FamilyConstraintTest, GradientMatchesDifferencesAndOwnBlocksAreFree) {
  const FamilyTable table(two_families(), {});
  const auto group = gradcheck::make_group({shares()});
  expect_gradients(*group, [&](const Pass& pass) {
    return family_constraint(table, pass.parameter((*group)[0]));
  });
  const Var own =
      category_assignment(table, Var(constant(kFeatures, kCategories, 5)), {.temperature = 1});
  EXPECT_EQ(value_of(family_constraint(table, own)), 0);
}

TEST(RowEntropyTest, GradientMatchesDifferences) {
  const auto group = gradcheck::make_group({shares()});
  expect_gradients(*group, [&](const Pass& pass) {
    return row_entropy(pass.parameter((*group)[0]), {.start = 0.3});
  });
}

TEST(RowEntropyTest, IsTheLogarithmForEvenSharesAndZeroForOneHot) {
  const Var even(Tensor::from_host(3, 4, std::vector<real>(12, real(0.25))));
  EXPECT_NEAR(value_of(row_entropy(even)), std::log(4.0), 1e-14);
  const Var one_hot(Tensor::from_host(2, 2, std::vector<real>{0, 1, 1, 0}));
  EXPECT_EQ(value_of(row_entropy(one_hot)), 0);
}

TEST(RowEntropyTest, GradientThroughTheSoftmaxIsFiniteWhereSharesAreZero) {
  // Logits so far apart that shares are exactly 0; the entropy's own slope is unbounded there.
  const FamilyTable table(two_families(), {});
  const auto group = gradcheck::make_group(
      {{kFeatures, kCategories, uniform<real>(kFeatures * kCategories, 1, -5000, 5000)}});
  gradcheck::run_backward(*group,
                          [&](const Pass& pass) {
                            return row_entropy(category_assignment(
                                table, pass.parameter((*group)[0]), {.temperature = 1}));
                          },
                          {});
  for (const real slope : (*group)[0].grad.to_host()) EXPECT_EQ(slope, 0);
}

TEST(ModularityTest, GradientMatchesDifferences) {
  const std::vector<real> values = uniform<real>(kFeatures * kFeatures, 3);
  std::vector<real> symmetric(values.size());
  for (size_t i = 0; i < size_t{kFeatures}; ++i)
    for (size_t j = 0; j < size_t{kFeatures}; ++j)
      symmetric[i * kFeatures + j] = values[i * kFeatures + j] + values[j * kFeatures + i];
  const Tensor matrix = Tensor::from_host(kFeatures, kFeatures, symmetric);
  const auto group = gradcheck::make_group({shares()});
  expect_gradients(
      *group, [&](const Pass& pass) { return modularity(pass.parameter((*group)[0]), matrix); });
}

TEST(AssignmentLossesTest, TogetherTheyReachTheLogits) {
  // As a step uses them: one assignment, several terms, some subtracted.
  const FamilyTable table(two_families(), {});
  const PartialTable partials(two_families(), kLevels, {});
  const Var x(constant(kRows, kFeatures, 3)), partial(constant(kRows, partials.columns(), 2));
  const Tensor weight = constant(1, kFeatures, 4);
  const auto group =
      gradcheck::make_group({{kFeatures, kCategories, uniform<real>(kFeatures * kCategories, 1)}});
  expect_gradients(*group, [&](const Pass& pass) {
    const Var a =
        category_assignment(table, pass.parameter((*group)[0]), {.temperature = real(0.8)});
    const Var kept = add(soft_informativeness(partials, partial, x, a, weight),
                         assignment_orthogonality(x, a), 1, real(0.1));
    return add(add(kept, category_balance(a), 1, real(0.05)), row_entropy(a), 1, -1);
  });
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
