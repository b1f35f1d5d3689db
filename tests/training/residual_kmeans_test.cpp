#include "tessera/residual_kmeans.h"

#include <gtest/gtest.h>

#include "tessera/kmeans.h"
#include "tessera/ops.h"
#include "testing/determinism.h"
#include "testing/numbers.h"

namespace tessera {
namespace {

using Floats = std::vector<float>;

const std::vector<CategoryLayout> kLayout = {{"a", 0, 4}, {"b", 4, 2}};

Tensor rows_of(int64_t rows, uint64_t seed) {
  return Tensor::from_host(rows, 6, testing::normal<float>(rows * 6, seed));
}

/// Rows with exactly the structure: in each category one of five coarse centres, far apart, plus one
/// of three fine ones, plus noise of variance `noise`^2. Every pair occurs equally often, so the
/// mean of a coarse cluster is off by the same vector in all, and three fine codes are enough.
Tensor planted(int64_t rows, uint64_t seed, double noise) {
  Floats values = testing::normal<float>(rows * 6, seed);
  const auto coarse = testing::normal<float>(5 * 6, 7), fine = testing::normal<float>(3 * 6, 9);
  for (size_t n = 0; n < size_t(rows); ++n)
    for (size_t c = 0; c < 6; ++c) {
      const size_t turn = c < 4 ? n : n / 15;  // the categories do not go together
      float& value = values[n * 6 + c];
      value =
          float(noise) * value + 100 * coarse[turn % 5 * 6 + c] + 5 * fine[turn / 5 % 3 * 6 + c];
    }
  return Tensor::from_host(rows, 6, values);
}

TEST(ResidualKmeansTest, FindsPlantedLevelsDownToTheNoise) {
  const std::vector<int64_t> sizes = {5, 3, 5, 3};
  const ResidualKmeans found =
      residual_kmeans(planted(2250, 1, 0.1), planted(450, 50, 0.1), kLayout, sizes, {.seed = 2});
  EXPECT_GT(found.level_fit_errors[0], 1);  // one level cannot
  // The noise has variance 0.01; 1500 to 2250 values of it for each of 8 centres a column.
  EXPECT_NEAR(found.fit_error, 0.01, 0.0005);
  EXPECT_NEAR(found.error, 0.01, 0.001);
}

TEST(ResidualKmeansTest, OneLevelIsKmeansOnTheColumnsOfEachCategory) {
  const Tensor fit = rows_of(300, 1), others = rows_of(90, 2);
  const std::vector<int64_t> sizes = {11, 7};
  const ResidualKmeans found = residual_kmeans(fit, others, kLayout, sizes, {.seed = 4});
  double fit_sum = 0, sum = 0;
  for (size_t k = 0; k < 2; ++k) {
    const auto window = [&](const Tensor& x) {
      return MatrixView<const float>{x.view().data + kLayout[k].first, x.rows(), kLayout[k].columns,
                                     6};
    };
    KmeansResult expected =
        kmeans(window(fit), {}, {.clusters = sizes[k], .seed = 4, .stream_step = k});
    double evaluated = 0;
    lloyd_iteration(window(others), expected.centres, &evaluated, false);
    // Distances are rounded to float once: 6e-8 relative.
    EXPECT_NEAR(found.categories[k].fit_error * double(kLayout[k].columns), expected.mean_sq_dist,
                1e-6);
    EXPECT_NEAR(found.categories[k].error * double(kLayout[k].columns), evaluated, 1e-6);
    fit_sum += expected.mean_sq_dist;
    sum += evaluated;
  }
  EXPECT_NEAR(found.fit_error, fit_sum / 6, 1e-6);
  EXPECT_NEAR(found.error, sum / 6, 1e-6);
  EXPECT_EQ(found.fitted_rows, 300);
  EXPECT_EQ(found.evaluated_rows, 90);
  EXPECT_EQ(found.categories[1].name, "b");
}

TEST(ResidualKmeansTest, SecondLevelIsKmeansOfWhatTheFirstLeft) {
  const Tensor fit = rows_of(200, 3);
  const std::vector<CategoryLayout> layout = {{"all", 0, 6}};
  const std::vector<int64_t> sizes = {8, 5};
  const ResidualKmeans found = residual_kmeans(fit, {}, layout, sizes, {.seed = 1});
  const KmeansResult first = kmeans(fit.view(), {}, {.clusters = 8, .seed = 1, .stream_step = 0});
  const VqTable table = one_codebook(8, 6, {});
  const Var nearest =
      nearest_codes(table, Var(fit), Var(Tensor::from_host(1, 48, first.centres.to_host())))
          .quantized;
  Floats left = fit.to_host();
  const Floats centres = nearest.value().to_host();
  for (size_t i = 0; i < left.size(); ++i) left[i] -= centres[i];
  const KmeansResult second = kmeans(Tensor::from_host(200, 6, left).view(), {},
                                     {.clusters = 5, .seed = 1, .stream_step = 1});
  EXPECT_NEAR(found.level_fit_errors[0], first.mean_sq_dist / 6, 1e-6);
  EXPECT_NEAR(found.level_fit_errors[1], second.mean_sq_dist / 6, 1e-6);
}

// Centres are means of their rows, which explain no less than 0 does.
TEST(ResidualKmeansTest, MoreLevelsNeverRaiseTheFitError) {
  for (const uint64_t seed : {1, 2, 3}) {
    const std::vector<int64_t> sizes = {3, 2, 1, 4, 4, 1, 2, 2};
    const ResidualKmeans found = residual_kmeans(rows_of(150, seed), {}, kLayout, sizes);
    ASSERT_EQ(found.level_fit_errors.size(), 4u);
    for (size_t l = 1; l < 4; ++l)
      EXPECT_LE(found.level_fit_errors[l], found.level_fit_errors[l - 1] * (1 + 1e-7)) << l;
    EXPECT_LT(found.level_fit_errors[3], found.level_fit_errors[0] * 0.9);
    EXPECT_EQ(found.fit_error, found.level_fit_errors[3]);
  }
}

TEST(ResidualKmeansTest, WithoutEvaluatedRowsTheirErrorIsZero) {
  const std::vector<int64_t> sizes = {3, 2};
  const ResidualKmeans found = residual_kmeans(rows_of(40, 1), {}, kLayout, sizes);
  EXPECT_EQ(found.evaluated_rows, 0);
  EXPECT_EQ(found.error, 0);
  EXPECT_GT(found.fit_error, 0);
}

TEST(ResidualKmeansTest, ReportsProgressAfterEachCodebook) {
  std::vector<int> seen;
  const std::vector<int64_t> sizes = {3, 2, 3, 2};
  residual_kmeans(rows_of(40, 1), {}, kLayout, sizes, {.progress = [&](int done, int of) {
                    EXPECT_EQ(of, 4);
                    seen.push_back(done);
                  }});
  EXPECT_EQ(seen, (std::vector<int>{1, 2, 3, 4}));
}

TEST(ResidualKmeansTest, FewerRowsThanCodesAreRefused) {
  const std::vector<int64_t> sizes = {3, 20};
  try {
    residual_kmeans(rows_of(10, 1), {}, kLayout, sizes);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config);
  }
}

TEST(ResidualKmeansTest, CodebookSizesAreThoseOfTheTable) {
  std::vector<kernels::VqGroup> groups = {{.dim = 2, .codebook_size = 5},
                                          {.dim = 3, .codebook_size = 9}};
  kernels::VqGroup::pack(groups);
  EXPECT_EQ(codebook_sizes(VqTable(groups, {})), (std::vector<int64_t>{5, 9}));
}

TEST(ResidualKmeansTest, SameSeedGivesTheSameBitsForAnyThreadsAndInstructions) {
  const Tensor fit = rows_of(300, 1), others = rows_of(90, 2);
  const std::vector<int64_t> sizes = {9, 4, 7, 3};
  testing::expect_same_bits_everywhere([&] {
    const ResidualKmeans found = residual_kmeans(fit, others, kLayout, sizes, {.iterations = 4});
    return std::vector<double>{found.fit_error, found.error, found.categories[1].error};
  });
}

TEST(ResidualKmeansTest, AnotherSeedGivesOtherCentres) {
  const Tensor fit = rows_of(300, 1);
  const std::vector<int64_t> sizes = {9, 4, 7, 3};
  EXPECT_NE(residual_kmeans(fit, {}, kLayout, sizes, {.seed = 1}).fit_error,
            residual_kmeans(fit, {}, kLayout, sizes, {.seed = 2}).fit_error);
}

}  // namespace
}  // namespace tessera
