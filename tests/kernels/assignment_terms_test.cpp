#include "tessera/kernels/assignment_terms.h"

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
constexpr AssignmentSum kSums[] = {AssignmentSum::RowEntropy, AssignmentSum::Modularity,
                                   AssignmentSum::FamilyConstraint};

/// Assignments [features, categories] of two families, with zeros among their elements.
struct Problem {
  Problem(int64_t features, int64_t categories)
      : rows(features),
        cols(categories),
        a(testing::uniform<float>(features * categories, 1, 0, 1)),
        product(testing::uniform<float>(features * categories, 2)) {
    for (size_t e = 0; e < a.size(); e += 5) a[e] = 0;
    const auto n = static_cast<int32_t>(features), k = static_cast<int32_t>(categories);
    families = {{.features = (n + 1) / 2, .categories = (k + 1) / 2},
                {.features = n - (n + 1) / 2, .categories = k - (k + 1) / 2}};
    CategoryFamily::pack(families);
  }
  bool outside(int64_t e) const {
    const CategoryFamily& f = families[e / cols < families[1].feature_begin ? 0 : 1];
    return e % cols < f.category_begin || e % cols >= f.category_begin + f.categories;
  }
  double factor(AssignmentSum sum) const {
    return sum == AssignmentSum::RowEntropy   ? 1 / double(rows)
           : sum == AssignmentSum::Modularity ? 1
                                              : 0.5;
  }
  double term(AssignmentSum sum, size_t e) const {
    const double share = double(a[e]);
    if (sum == AssignmentSum::RowEntropy) return share > 0 ? -share * std::log(share) : 0;
    if (sum == AssignmentSum::Modularity) return share * double(product[e]);
    return outside(static_cast<int64_t>(e)) ? share : 0;
  }
  double slope(AssignmentSum sum, size_t e) const {
    if (sum == AssignmentSum::RowEntropy) return -std::log(std::max(double(a[e]), 1e-30)) - 1;
    if (sum == AssignmentSum::Modularity) return 2 * double(product[e]);
    return outside(static_cast<int64_t>(e)) ? 1 : 0;
  }
  int64_t rows, cols;
  std::vector<float> a, product;
  std::vector<CategoryFamily> families;
};

class AssignmentTermsTest : public testing::BackendTest {
 protected:
  const std::vector<Problem> problems_ = {{2, 2}, {9, 5}, {64, 8}, {131, 33}};
};
TESSERA_FOR_EACH_BACKEND(AssignmentTermsTest);

TEST_P(AssignmentTermsTest, SumsAreThoseOfTheElements) {
  for (const Problem& one : problems_)
    for (const AssignmentSum sum : kSums) {
      const GroupTable<CategoryFamily> families(one.families, device());
      Guarded<float> a(one.a, one.rows, one.cols, device()),
          product(one.product, one.rows, one.cols, device());
      auto loss = Guarded<float>::out(1, device());
      run([&](auto& context) {
        const int64_t before = context.launches();
        assignment_term(context, {.sum = sum,
                                  .assignment = a.matrix_view(),
                                  .product = product.matrix_view(),
                                  .families = families.view(),
                                  .loss = loss.vector(),
                                  .weight = {.start = 0.7}});
        EXPECT_EQ(context.launches() - before, 1);
      });
      double expected = 0, size = 0;
      for (size_t e = 0; e < one.a.size(); ++e) {
        expected += one.term(sum, e);
        size += std::abs(one.term(sum, e));
      }
      const double scale = 0.7 * one.factor(sum);
      testing::expect_near(loss.values(), {scale * expected}, kUlp, 1e-9 * scale * size);
    }
}

TEST_P(AssignmentTermsTest, SlopesAreTheirDerivatives) {
  for (const Problem& one : problems_)
    for (const AssignmentSum sum : kSums)
      for (const float beta : {0.0f, 1.0f}) {
        const GroupTable<CategoryFamily> families(one.families, device());
        const auto old = testing::old_values(one.rows * one.cols, beta);
        Guarded<float> a(one.a, one.rows, one.cols, device()),
            product(one.product, one.rows, one.cols, device()), dloss({1.5f}, device()),
            da(old, one.rows, one.cols, device());
        run([&](auto& context) {
          assignment_term_grad(context, {.sum = sum,
                                         .assignment = a.matrix_view(),
                                         .product = product.matrix_view(),
                                         .families = families.view(),
                                         .dloss = dloss.view(),
                                         .dassignment = da.matrix(),
                                         .weight = {.start = 0.7},
                                         .beta = beta});
        });
        std::vector<double> expected;
        for (size_t e = 0; e < one.a.size(); ++e)
          expected.push_back((beta == 0 ? 0 : double(old[e])) +
                             1.5 * 0.7 * one.factor(sum) * one.slope(sum, e));
        testing::expect_near(da.values(), expected, kUlp);
      }
}

TEST_P(AssignmentTermsTest, AnnealedWeightFollowsTheStep) {
  const Problem& one = problems_[1];
  for (const uint64_t step : {0, 30, 120, 500}) {
    StepState host;
    host.step = step;
    const auto state = Buffer<StepState>::from_host(std::vector<StepState>{host}, device());
    Guarded<float> a(one.a, one.rows, one.cols, device());
    auto loss = Guarded<float>::out(1, device()), plain = Guarded<float>::out(1, device());
    run([&](auto& context) {
      const auto entropy = [&](Guarded<float>& out, AnnealedWeight weight) {
        assignment_term(context, {.sum = AssignmentSum::RowEntropy,
                                  .assignment = a.matrix_view(),
                                  .loss = out.vector(),
                                  .weight = weight});
      };
      entropy(loss, {.state = state.data(), .start = 2, .end = 0.05, .steps = 120});
      entropy(plain, {});
    });
    const double reached = std::min(1.0, double(step) / 120);
    const double expected = double(plain.values()[0]) * 2 * std::pow(0.05 / 2, reached);
    testing::expect_near(loss.values(), {expected}, 2 * kUlp, 0);
  }
}

TEST_P(AssignmentTermsTest, BalanceIsTheVarianceOfMassesInUnitsOfTheirMean) {
  for (const Problem& one : problems_) {
    Guarded<float> a(one.a, one.rows, one.cols, device());
    auto masses = Guarded<double>::out(one.cols, device());
    auto loss = Guarded<float>::out(1, device());
    run([&](auto& context) {
      const int64_t before = context.launches();
      category_balance(
          context,
          {.assignment = a.matrix_view(), .masses = masses.vector(), .loss = loss.vector()});
      EXPECT_EQ(context.launches() - before, 1);
    });
    const std::vector<double> found = masses.values();
    double expected = 0;
    for (int64_t k = 0; k < one.cols; ++k) {
      double mass = 0;
      for (int64_t i = 0; i < one.rows; ++i) mass += double(one.a[size_t(i * one.cols + k)]);
      EXPECT_NEAR(found[size_t(k)], mass, 1e-12 * mass) << "category " << k;
      const double off = mass * double(one.cols) / double(one.rows) - 1;
      expected += off * off / double(one.cols);
    }
    testing::expect_near(loss.values(), {expected}, kUlp, 0);
  }
}

TEST_P(AssignmentTermsTest, BalanceOfEverythingInOneCategoryIsTheNumberOfOthers) {
  for (const int64_t features : {6, 600}) {  // whatever the number of features
    std::vector<float> all(size_t(features * 4));
    for (size_t i = 0; i < all.size(); i += 4) all[i] = 1;
    Guarded<float> a(all, features, 4, device());
    auto masses = Guarded<double>::out(4, device());
    auto loss = Guarded<float>::out(1, device());
    run([&](auto& context) {
      category_balance(context, {a.matrix_view(), masses.vector(), loss.vector()});
    });
    EXPECT_EQ(loss.values()[0], 3.0f) << features << " features";
  }
}

TEST_P(AssignmentTermsTest, BalanceGradientIsThatOfTheMass) {
  for (const float beta : {0.0f, 1.0f}) {
    const std::vector<double> host = {1.5, 20, 0, 7.25, 3};
    const auto old = testing::old_values(35 * 5, beta);
    Guarded<double> masses(host, device());
    Guarded<float> dloss({1.5f}, device()), da(old, 35, 5, device());
    run([&](auto& context) {
      category_balance_grad(context, {.masses = masses.view(),
                                      .dloss = dloss.view(),
                                      .dassignment = da.matrix(),
                                      .beta = beta});
    });
    std::vector<double> expected;
    for (size_t e = 0; e < old.size(); ++e)
      expected.push_back((beta == 0 ? 0 : double(old[e])) +
                         1.5 * 2 / 35 * (host[e % 5] * 5 / 35 - 1));
    testing::expect_near(da.values(), expected, kUlp);
  }
}

TEST(AssignmentTermsBitsTest, AreTheSameForEveryThreadCount) {
  // More elements than one piece of chunked_sum has.
  const auto a = testing::uniform<float>(3000 * 40, 1, 0, 1);
  testing::expect_same_bits_everywhere([&] {
    std::vector<float> loss(1);
    assignment_term(cpu_context(), {.sum = AssignmentSum::RowEntropy,
                                    .assignment = {a.data(), 3000, 40, 40},
                                    .loss = {loss.data(), 1}});
    return loss;
  });
}

}  // namespace
}  // namespace tessera::kernels
