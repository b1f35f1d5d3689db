#include "tessera/kernels/category_assignment.h"

#include <cmath>

#include "tessera/group_table.h"
#include "testing/backends.h"
#include "testing/determinism.h"
#include "testing/guarded.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::Guarded;

using testing::kUlp;
constexpr uint64_t kSeed = 77;

std::vector<CategoryFamily> packed(std::vector<CategoryFamily> families) {
  CategoryFamily::pack(families);
  return families;
}

/// Families beside the borders of tiles and warps; one of a single category.
const std::vector<std::vector<CategoryFamily>> kTables = {
    packed({{.features = 1, .categories = 1}}), packed({{.features = 9, .categories = 5}}),
    packed({{.features = 8, .categories = 3},
            {.features = 1, .categories = 1},
            {.features = 17, .categories = 4}}),
    packed({{.features = 5, .categories = 31},
            {.features = 7, .categories = 34},
            {.features = 3, .categories = 70}})};

class CategoryAssignmentTest : public testing::BackendTest {
 protected:
  /// Logits of one table on the device, and what comes of them.
  struct Problem {
    Problem(std::vector<CategoryFamily> all, Device device)
        : families(std::move(all)), table(families, device), device_(device) {
      rows = families.back().feature_begin + families.back().features;
      cols = families.back().category_begin + families.back().categories;
      logits = testing::uniform<float>(rows * cols, 1, -2, 2);
    }
    const CategoryFamily& family_of(int64_t i) const {
      size_t f = 0;
      while (i >= families[f].feature_begin + families[f].features) ++f;
      return families[f];
    }
    size_t at(int64_t i, int64_t k) const { return static_cast<size_t>(i * cols + k); }
    /// The softmax in binary64; zeros outside the families.
    std::vector<double> expected(double t, const std::vector<double>& noise) const {
      std::vector<double> all(logits.size());
      for (int64_t i = 0; i < rows; ++i) {
        const CategoryFamily& f = family_of(i);
        const int64_t begin = f.category_begin, end = begin + f.categories;
        double largest = -1e300, sum = 0;
        const auto score = [&](int64_t k) { return double(logits[at(i, k)]) + noise[at(i, k)]; };
        for (int64_t k = begin; k < end; ++k) largest = std::max(largest, score(k));
        for (int64_t k = begin; k < end; ++k)
          sum += all[at(i, k)] = std::exp((score(k) - largest) / t);
        for (int64_t k = begin; k < end; ++k)
          all[at(i, k)] = all[at(i, k)] / sum < 0x1p-30 ? 0 : all[at(i, k)] / sum;
      }
      return all;
    }
    std::vector<double> no_noise() const { return std::vector<double>(logits.size()); }
    Guarded<float> in(const std::vector<float>& values) const {
      return {values, rows, cols, device_};
    }
    Guarded<float> out() const { return Guarded<float>::out(rows, cols, device_); }

    std::vector<CategoryFamily> families;
    GroupTable<CategoryFamily> table;
    int64_t rows, cols;
    std::vector<float> logits;

   private:
    Device device_;
  };
  std::vector<Problem> problems() const {
    std::vector<Problem> all;
    for (const auto& families : kTables) all.emplace_back(families, device());
    return all;
  }
  Buffer<StepState> state_at(uint64_t step, float temperature) const {
    StepState state;
    state.seed = kSeed;
    state.step = step;
    state.now.temperature = temperature;
    return Buffer<StepState>::from_host(std::vector<StepState>{state}, device());
  }
  /// The soft assignment, in one launch.
  std::vector<float> soft_of(const Problem& one, CategoryAssignment args) {
    Guarded<float> logits = one.in(one.logits);
    Guarded<float> soft = one.out();
    args.families = one.table.view();
    args.logits = logits.matrix_view();
    args.soft = soft.matrix();
    run([&](auto& context) {
      const int64_t before = context.launches();
      category_assignment(context, args);
      EXPECT_EQ(context.launches() - before, 1);
    });
    return soft.values();
  }
};
TESSERA_FOR_EACH_BACKEND(CategoryAssignmentTest);

TEST_P(CategoryAssignmentTest, IsTheSoftmaxWithinTheFamilyAndZeroOutside) {
  for (const Problem& one : problems())
    for (const float t : {0.05f, 1.0f, 3.0f}) {
      const std::vector<float> soft = soft_of(one, {.temperature = t});
      const std::vector<double> expected = one.expected(double(t), one.no_noise());
      for (size_t e = 0; e < soft.size(); ++e) {
        // The difference of scores is rounded, then divided by t, then is an exponent.
        const double bound = expected[e] * (4 / double(t) + 80) * kUlp;
        ASSERT_NEAR(soft[e], expected[e], bound) << "element " << e << ", temperature " << t;
        if (expected[e] == 0) {
          ASSERT_EQ(soft[e], 0.0f) << "element " << e;
        }
      }
    }
}

TEST_P(CategoryAssignmentTest, TemperatureIsTheStatesWhereNoneIsGiven) {
  const Problem one(kTables[2], device());
  const auto state = state_at(3, 0.5f);
  testing::expect_same_bits(soft_of(one, {.state = state.data()}),
                            soft_of(one, {.temperature = 0.5f}));
}

TEST_P(CategoryAssignmentTest, LargeLogitsAtALowTemperatureStayFinite) {
  Problem one(kTables[3], device());
  for (size_t e = 0; e < one.logits.size(); ++e) one.logits[e] = e % 3 == 0 ? 50.0f : -50.0f;
  const auto state = state_at(1, 0.05f);
  for (const bool noise : {false, true}) {
    const std::vector<float> soft = soft_of(one, {.state = state.data(), .noise = noise});
    for (int64_t i = 0; i < one.rows; ++i) {
      double sum = 0;
      for (int64_t k = 0; k < one.cols; ++k) {
        ASSERT_TRUE(std::isfinite(soft[one.at(i, k)])) << i << ", " << k;
        sum += double(soft[one.at(i, k)]);
      }
      EXPECT_NEAR(sum, 1, 70 * kUlp) << "row " << i;
    }
  }
}

TEST_P(CategoryAssignmentTest, NoiseIsGumbelOfTheElementAndTheStep) {
  for (const Problem& one : problems())
    for (const uint64_t step : {1, 900}) {
      const auto state = state_at(step, 1);
      std::vector<double> noise;
      for (uint64_t e = 0; e < one.logits.size(); ++e)
        noise.push_back(gumbel_noise(double(random_uniform(kSeed, kStreamGumbel, step, e))));
      // Noise of up to 16 is rounded once, the score once more.
      testing::expect_near(soft_of(one, {.state = state.data(), .noise = true}),
                           one.expected(1, noise), 100 * kUlp);
    }
}

TEST_P(CategoryAssignmentTest, HardIsOneAtTheFirstLargest) {
  for (Problem& one : problems()) {
    for (int64_t i = 0; i < one.rows; ++i) {  // ties of all, of the last two, of none
      const CategoryFamily& f = one.family_of(i);
      for (int32_t k = 0; k < f.categories && i % 3 < 2; ++k)
        one.logits[one.at(i, f.category_begin + k)] =
            i % 3 == 0 ? 0.25f : float(std::min(k, f.categories - 2));
    }
    Guarded<float> logits = one.in(one.logits);
    Guarded<float> soft = one.out(), hard = one.out();
    run([&](auto& context) {
      category_assignment(context, {.families = one.table.view(),
                                    .logits = logits.matrix_view(),
                                    .soft = soft.matrix(),
                                    .hard = hard.matrix(),
                                    .temperature = 0.7f});
    });
    const std::vector<float> values = soft.values(), found = hard.values();
    for (int64_t i = 0; i < one.rows; ++i) {
      int64_t best = one.family_of(i).category_begin;
      for (int64_t k = 0; k < one.cols; ++k)
        if (values[one.at(i, k)] > values[one.at(i, best)]) best = k;
      for (int64_t k = 0; k < one.cols; ++k)
        ASSERT_EQ(found[one.at(i, k)], k == best ? 1.0f : 0.0f) << "row " << i << ", " << k;
    }
  }
}

TEST_P(CategoryAssignmentTest, GradientIsThatOfTheSoftmax) {
  for (const Problem& one : problems())
    for (const float beta : {0.0f, 1.0f}) {
      const float t = 0.5f;
      const std::vector<double> a = one.expected(double(t), one.no_noise());
      const auto da = testing::uniform<float>(one.rows * one.cols, 2),
                 old = testing::old_values(one.rows * one.cols, beta);
      Guarded<float> soft = one.in({a.begin(), a.end()}), da_in = one.in(da), dp = one.in(old);
      run([&](auto& context) {
        category_assignment_grad(context, {.families = one.table.view(),
                                           .soft = soft.matrix_view(),
                                           .dassignment = da_in.matrix_view(),
                                           .dlogits = dp.matrix(),
                                           .temperature = t,
                                           .beta = beta});
      });
      std::vector<double> expected;
      for (int64_t i = 0; i < one.rows; ++i) {
        double mean = 0;
        for (int64_t k = 0; k < one.cols; ++k) mean += a[one.at(i, k)] * double(da[one.at(i, k)]);
        for (int64_t k = 0; k < one.cols; ++k)
          expected.push_back((beta == 0 ? 0 : double(old[one.at(i, k)])) +
                             a[one.at(i, k)] * (double(da[one.at(i, k)]) - mean) / double(t));
      }
      testing::expect_near(dp.values(), expected, 20 * kUlp);
    }
}

TEST_P(CategoryAssignmentTest, GradientOfARowCloseToOneHotKeepsItsDigits) {
  // soft_k = e of the others' shares: dP_0 = -sum_k e (dA_k - dA_0) to first order in e, although
  // dA_0 - mean in float would be off by 6e-8.
  Problem one(packed({{.features = 1, .categories = 3}}), device());
  const float e = 1e-9f;
  Guarded<float> soft = one.in({1.0f, e, 2 * e}), da = one.in({5.0f, 5.5f, 4.0f}), dp = one.out();
  run([&](auto& context) {
    category_assignment_grad(context, {.families = one.table.view(),
                                       .soft = soft.matrix_view(),
                                       .dassignment = da.matrix_view(),
                                       .dlogits = dp.matrix(),
                                       .temperature = 1});
  });
  const std::vector<float> found = dp.values();
  EXPECT_NEAR(found[0], 1.5e-9, 1e-15);
  EXPECT_NEAR(found[1], 0.5e-9, 1e-15);
  EXPECT_NEAR(found[2], -2e-9, 1e-15);
}

TEST(CategoryAssignmentBitsTest, AreTheSameForEveryTargetAndThreadCount) {
  const GroupTable<CategoryFamily> table(kTables[3], Device{});
  StepState state;
  state.now.temperature = 0.3f;
  const auto logits = testing::uniform<float>(15 * 135, 1);
  testing::expect_same_bits_everywhere([&] {
    std::vector<float> soft(logits.size()), slope(logits.size());
    const MatrixView<const float> in{logits.data(), 15, 135, 135};
    category_assignment(cpu_context(), {.families = table.view(),
                                        .logits = in,
                                        .state = &state,
                                        .soft = {soft.data(), 15, 135, 135},
                                        .hard = {},
                                        .noise = true});
    category_assignment_grad(cpu_context(), {.families = table.view(),
                                             .soft = {soft.data(), 15, 135, 135},
                                             .dassignment = in,
                                             .state = &state,
                                             .dlogits = {slope.data(), 15, 135, 135}});
    soft.insert(soft.end(), slope.begin(), slope.end());
    return soft;
  });
}

TEST(CategoryFamilyTest, FamiliesThatDoNotFollowEachOtherAreRefused) {
  using Table = GroupTable<CategoryFamily>;
  std::vector<CategoryFamily> gap = kTables[2];
  gap[1].feature_begin += 1;
  EXPECT_NE(testing::error_of([&] { Table(gap, Device{}); }).find("end at 8 and 3"),
            std::string::npos);
  EXPECT_NE(testing::error_of([] {
              Table({{.features = 2, .categories = 0}}, Device{});
            }).find("2 features and 0 categories"),
            std::string::npos);
}

}  // namespace
}  // namespace tessera::kernels
