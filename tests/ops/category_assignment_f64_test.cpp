#include <cmath>

#include "tessera/assignment_ops.h"
#include "testing/gradcheck.h"
#include "testing/numbers.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using gradcheck::expect_gradients;
using gradcheck::scalar_of;
using testing::uniform;

constexpr int64_t kRows = 6, kHidden = 3;

std::vector<CategoryFamily> packed(std::vector<CategoryFamily> families) {
  CategoryFamily::pack(families);
  return families;
}
/// One family of 5 features and 3 categories, and two families with 4 categories together.
const std::vector<CategoryFamily> kOne = packed({{.features = 5, .categories = 3}});
const std::vector<CategoryFamily> kTwo =
    packed({{.features = 3, .categories = 2}, {.features = 2, .categories = 2}});
/// Which features the categories of kTwo read: shares of the others are below a threshold.
const std::vector<std::vector<int32_t>> kLists = {{0, 2}, {1}, {3, 4}, {4}};

int64_t categories_of(const std::vector<CategoryFamily>& families) {
  return families.back().category_begin + families.back().categories;
}

Tensor constant(int64_t rows, int64_t cols, uint64_t seed) {
  return Tensor::from_host(rows, cols, uniform<real>(rows * cols, seed));
}

class CategoryAssignmentGradientTest : public ::testing::Test {
 protected:
  CategoryAssignmentGradientTest() : state_(5, 10, 1, {}) {
    StepState now = state_.read();
    now.step = 4;
    now.now.temperature = real(0.6);
    state_.write(now);
  }
  TrainingState state_;
};

TEST_F(CategoryAssignmentGradientTest, MatchesDifferences) {
  for (const auto& families : {kOne, kTwo})
    for (const bool gumbel : {false, true}) {
      const FamilyTable table(families, {});
      const int64_t count = categories_of(families);
      const auto group = gradcheck::make_group({{5, count, uniform<real>(5 * count, 1)}});
      const Tensor target = constant(5, count, 2);
      expect_gradients(*group, [&](const Pass& pass) {
        return scalar_of(category_assignment(table, pass.parameter((*group)[0]),
                                             {.state = &state_, .gumbel = gumbel}),
                         target);
      });
    }
}

TEST_F(CategoryAssignmentGradientTest, MatchesDifferencesAtEveryTemperatureOfARun) {
  const FamilyTable table(kOne, {});
  const int64_t count = categories_of(kOne);
  for (const double temperature : {1.0, 0.5, 0.1}) {
    const auto group = gradcheck::make_group({{5, count, uniform<real>(5 * count, 1)}});
    const Tensor target = constant(5, count, 2);
    expect_gradients(
        *group,
        [&](const Pass& pass) {
          return scalar_of(
              category_assignment(table, pass.parameter((*group)[0]),
                                  {.state = &state_, .temperature = real(temperature), .gumbel = true}),
              target);
        },
        {.tolerance = 1e-7, .step = 1e-4});
  }
}

TEST_F(CategoryAssignmentGradientTest, CategoriesWinAsOftenAsTheSoftmaxOfTheLogitsSays) {
  // Pearson's chi-square of the winners of many steps; 5 features of 4 categories: 15 degrees of freedom.
  constexpr int64_t kFeatures = 5, kCategories = 4, kSteps = 4000;
  constexpr double kOneInAThousand = 37.7;
  const FamilyTable table(packed({{.features = kFeatures, .categories = kCategories}}), {});
  const std::vector<real> logits = uniform<real>(kFeatures * kCategories, 3);
  const Tensor values = Tensor::from_host(kFeatures, kCategories, logits);
  std::vector<double> wins(logits.size());
  for (int64_t step = 1; step <= kSteps; ++step) {
    StepState now = state_.read();
    now.step = static_cast<uint64_t>(step);
    state_.write(now);
    const std::vector<real> hard =
        category_assignment(table, Var(values), {.state = &state_, .gumbel = true, .hard = true})
            .value()
            .to_host();
    for (size_t i = 0; i < wins.size(); ++i) wins[i] += double(hard[i]);
  }
  double chi_square = 0;
  for (int64_t i = 0; i < kFeatures; ++i) {
    double sum = 0;
    for (int64_t k = 0; k < kCategories; ++k) sum += std::exp(double(logits[i * kCategories + k]));
    for (int64_t k = 0; k < kCategories; ++k) {
      const double expected = kSteps * std::exp(double(logits[i * kCategories + k])) / sum;
      chi_square += std::pow(wins[i * kCategories + k] - expected, 2) / expected;
    }
  }
  EXPECT_LT(chi_square, kOneInAThousand);
  EXPECT_GT(chi_square, 2);  // draws that fit too well are no draws
}

TEST_F(CategoryAssignmentGradientTest, HardValuesHaveTheGradientOfTheSoftOnes) {
  const FamilyTable all(packed({{.features = 5, .categories = 4}}), {}), two(kTwo, {});
  const auto group = gradcheck::make_group({{5, 4, uniform<real>(20, 1)}});
  const auto gradient = [&](bool hard) {
    gradcheck::run_backward(
        *group,
        [&](const Pass& pass) {  // linear in A: its slope is the same for both values
          return family_constraint(two,
                                   category_assignment(all, pass.parameter((*group)[0]),
                                                       {.temperature = real(0.4), .hard = hard}));
        },
        {});
    return (*group)[0].grad.to_host();
  };
  const std::vector<real> soft = gradient(false);
  EXPECT_GT(std::abs(soft[0]), 1e-3);
  testing::expect_same_bits(gradient(true), soft);
}

TEST_F(CategoryAssignmentGradientTest, HardValuesAreOneHot) {
  const FamilyTable table(kTwo, {});
  const Var a =
      category_assignment(table, Var(constant(5, 4, 1)), {.temperature = real(0.4), .hard = true});
  std::vector<real> sorted = a.value().to_host();
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(sorted[14], 0);
  EXPECT_EQ(sorted[15], 1);
}

TEST_F(CategoryAssignmentGradientTest, ModesThatNeedAStateSaySo) {
  const FamilyTable table(kOne, {});
  const Var logits(constant(5, 3, 1));
  EXPECT_THROW(category_assignment(table, logits, {}), Error);
  EXPECT_THROW(category_assignment(table, logits, {.temperature = 1, .gumbel = true}), Error);
  EXPECT_THROW(category_assignment(table, Var(constant(5, 4, 1)), {.temperature = 1}), Error);
}

/// y[b, k H + h] by the definition.
std::vector<real> routed(const std::vector<CategoryFamily>& families, const std::vector<real>& x,
                         const std::vector<real>& a, const std::vector<real>& w,
                         const std::vector<real>& bias,
                         const std::vector<std::vector<int32_t>>& features_of) {
  const int64_t features = 5, categories = categories_of(families);
  std::vector<real> y(static_cast<size_t>(kRows * categories * kHidden));
  int64_t begin = 0;
  for (const CategoryFamily& f : families) {
    for (int64_t k = 0; k < f.categories; ++k)
      for (int64_t b = 0; b < kRows; ++b)
        for (int64_t h = 0; h < kHidden; ++h) {
          const int64_t category = f.category_begin + k, column = category * kHidden + h;
          double sum = double(bias[static_cast<size_t>(column)]);
          for (int32_t i = f.feature_begin; i < f.feature_begin + f.features; ++i) {
            const auto& read = features_of.empty() ? std::vector<int32_t>{i}
                                                   : features_of[static_cast<size_t>(category)];
            if (std::count(read.begin(), read.end(), i) == 0) continue;
            const int64_t at = begin + (k * kHidden + h) * f.features + i - f.feature_begin;
            sum += double(x[static_cast<size_t>(b * features + i)]) *
                   double(a[static_cast<size_t>(i * categories + category)]) *
                   double(w[static_cast<size_t>(at)]);
          }
          y[static_cast<size_t>(b * categories * kHidden + column)] = real(sum);
        }
    begin += (int64_t{f.features} * f.categories * kHidden + 3) / 4 * 4;
  }
  return y;
}

class SoftRoutingTest : public ::testing::TestWithParam<int> {
 protected:
  /// 0: one family, 1: two, 2: two with lists.
  std::vector<CategoryFamily> families_ = GetParam() == 0 ? kOne : kTwo;
  std::vector<std::vector<int32_t>> lists_ =
      GetParam() == 2 ? kLists : std::vector<std::vector<int32_t>>{};
  RoutingTable table_ = GetParam() == 2 ? RoutingTable(families_, kHidden, lists_, Device{})
                                        : RoutingTable(families_, kHidden, Device{});
  int64_t categories_ = categories_of(families_);
  std::vector<real> x_ = uniform<real>(kRows * 5, 1), a_ = uniform<real>(5 * categories_, 2),
                    w_ = uniform<real>(table_.weights(), 3),
                    bias_ = uniform<real>(table_.outputs(), 4);
};
INSTANTIATE_TEST_SUITE_P(, SoftRoutingTest, ::testing::Values(0, 1, 2));

TEST_P(SoftRoutingTest, IsTheLayerOnTheScaledFeatures) {
  const Var y = soft_routing(table_, Var(Tensor::from_host(kRows, 5, x_)),
                             Var(Tensor::from_host(5, categories_, a_)),
                             Var(Tensor::from_host(1, table_.weights(), w_)),
                             Var(Tensor::from_host(1, table_.outputs(), bias_)));
  const std::vector<real> expected = routed(families_, x_, a_, w_, bias_, lists_);
  testing::expect_close(y.value().to_host(), {expected.begin(), expected.end()}, 1e-14);
}

TEST_P(SoftRoutingTest, GradientsMatchDifferences) {
  const auto group = gradcheck::make_group({{kRows, 5, x_},
                                            {5, categories_, a_},
                                            {1, table_.weights(), w_},
                                            {1, table_.outputs(), bias_}});
  const Tensor target = constant(kRows, table_.outputs(), 5);
  expect_gradients(*group, [&](const Pass& pass) {
    return scalar_of(soft_routing(table_, pass.parameter((*group)[0]), pass.parameter((*group)[1]),
                                  pass.parameter((*group)[2]), pass.parameter((*group)[3])),
                     target);
  });
}

TEST_P(SoftRoutingTest, AConstantAssignmentGetsNoGradient) {
  const auto group = gradcheck::make_group({{1, table_.weights(), w_}});
  const Tensor target = constant(kRows, table_.outputs(), 5);
  expect_gradients(*group, [&](const Pass& pass) {
    return scalar_of(soft_routing(table_, Var(Tensor::from_host(kRows, 5, x_)),
                                  Var(Tensor::from_host(5, categories_, a_)),
                                  pass.parameter((*group)[0]), Var()),
                     target);
  });
}

TEST(RoutingTableTest, ListsMustNameFeaturesOfTheFamily) {
  EXPECT_THROW(RoutingTable(kTwo, kHidden, {{0}, {3}, {3}, {4}}, Device{}), Error);
  EXPECT_THROW(RoutingTable(kTwo, kHidden, {{0}, {}, {3}, {4}}, Device{}), Error);
  EXPECT_THROW(RoutingTable(kTwo, kHidden, {{0}, {1}, {3}}, Device{}), Error);
}

TEST(GatherColumnsGradientTest, MatchesDifferences) {
  const ColumnList list({2, 0, 2, 3}, 4, {});
  const auto group = gradcheck::make_group({{kRows, 4, uniform<real>(kRows * 4, 1)}});
  const Tensor target = constant(kRows, 4, 2);
  expect_gradients(*group, [&](const Pass& pass) {
    return scalar_of(gather_columns(list, pass.parameter((*group)[0])), target);
  });
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
