#include <gtest/gtest.h>

#include <cmath>

#include "data/discovery/refine.h"
#include "data/planted_features.h"
#include "tessera/category_assignment.h"
#include "testing/numbers.h"

namespace tessera::discovery {
namespace {

SquareMatrix planted_correlation(testing::Planted& planted) {
  const int64_t cols = planted.features.cols();
  return correlation_matrix({planted.features.values.data(), planted.features.rows, cols, cols});
}

TEST(RefineTest, TermsAreThoseOfTheRows) {
  // X A A^T - X and the cosines of X A, from the rows themselves.
  constexpr int64_t kRows = 40, kCols = 5, kCategories = 3;
  std::vector<float> x = tessera::testing::uniform<float>(kRows * kCols, 1);
  for (int64_t c = 0; c < kCols; ++c) {  // standardised
    double sum = 0, squares = 0;
    for (int64_t n = 0; n < kRows; ++n) sum += double(x[n * kCols + c]);
    for (int64_t n = 0; n < kRows; ++n)
      squares += std::pow(double(x[n * kCols + c]) - sum / kRows, 2);
    for (int64_t n = 0; n < kRows; ++n)
      x[n * kCols + c] =
          float((double(x[n * kCols + c]) - sum / kRows) / std::sqrt(squares / kRows));
  }
  const std::vector<double> a = tessera::testing::uniform<double>(kCols * kCategories, 2, 0, 1);
  std::vector<double> f(kRows * kCategories), norms(kCategories);
  double information = 0, orthogonality = 0;
  for (int64_t n = 0; n < kRows; ++n)
    for (int64_t k = 0; k < kCategories; ++k) {
      for (int64_t c = 0; c < kCols; ++c)
        f[n * kCategories + k] += double(x[n * kCols + c]) * a[c * kCategories + k];
      norms[k] += std::pow(f[n * kCategories + k], 2);
    }
  for (int64_t n = 0; n < kRows; ++n)
    for (int64_t c = 0; c < kCols; ++c) {
      double back = -double(x[n * kCols + c]);
      for (int64_t k = 0; k < kCategories; ++k)
        back += f[n * kCategories + k] * a[c * kCategories + k];
      information += back * back / (kRows * kCols);
    }
  for (int64_t k = 0; k < kCategories; ++k)
    for (int64_t l = 0; l < kCategories; ++l) {
      double dot = 0;
      for (int64_t n = 0; n < kRows; ++n) dot += f[n * kCategories + k] * f[n * kCategories + l];
      if (k != l)
        orthogonality += std::abs(dot) / std::sqrt(norms[k] * norms[l]) / (kCategories * 2);
    }
  const SquareMatrix r = correlation_matrix({x.data(), kRows, kCols, kCols});
  const RefinementTerms terms = refinement_terms(r, a, kCategories, nullptr);
  EXPECT_NEAR(terms.information, information, 1e-5);
  EXPECT_NEAR(terms.orthogonality, orthogonality, 1e-5);
}

TEST(RefineTest, GradientMatchesDifferences) {
  constexpr int64_t kCategories = 3;
  testing::Planted planted = testing::planted_features(0);
  const std::vector<int64_t> some = {0, 5, 9, 13, 40, 77};
  const SquareMatrix r = planted_correlation(planted).part(some);
  std::vector<double> a = tessera::testing::uniform<double>(some.size() * kCategories, 3, 0, 1);
  std::vector<double> gradient;
  refinement_terms(r, a, kCategories, &gradient);
  for (size_t i = 0; i < a.size(); ++i) {
    constexpr double kStep = 1e-5;
    const double at = a[i];
    const auto value = [&](double offset) {
      a[i] = at + offset;
      const RefinementTerms terms = refinement_terms(r, a, kCategories, nullptr);
      return terms.orthogonality + terms.information;
    };
    const double difference = (value(kStep) - value(-kStep)) / (2 * kStep);
    a[i] = at;
    EXPECT_NEAR(gradient[i], difference, 1e-7) << "share " << i;
  }
}

TEST(RefineTest, MisplacedFeaturesComeCloserToTheirBlocks) {
  testing::Planted planted = testing::planted_features(0);
  const SquareMatrix r = planted_correlation(planted);
  int32_t blocks = 0;
  for (const int32_t block : planted.block) blocks = std::max(blocks, block + 1);
  std::vector<int32_t> labels;
  for (size_t i = 0; i < planted.block.size(); ++i)
    labels.push_back(i % 7 == 0 ? static_cast<int32_t>(i) % blocks : std::max(0, planted.block[i]));
  const Refinement refined =
      refine_categories(r, labels, {.categories = blocks, .epochs = 300, .rate = 0.05, .target = 0, .seed = 1});
  EXPECT_EQ(refined.epochs, 300);
  EXPECT_LT(refined.orthogonality, refined.orthogonality_before);
}

TEST(RefineTest, StopsAtItsTarget) {
  testing::Planted planted = testing::planted_features(0);
  const std::vector<int32_t> labels(planted.block.size(), -1);
  const Refinement refined = refine_categories(planted_correlation(planted), labels,
                                               {.categories = 4, .epochs = 50, .target = 1, .seed = 1});
  EXPECT_EQ(refined.epochs, 1);
  EXPECT_EQ(refined.labels.size(), labels.size());
}

}  // namespace
}  // namespace tessera::discovery
