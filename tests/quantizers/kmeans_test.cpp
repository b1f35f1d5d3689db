#include "tessera/kmeans.h"

#include <algorithm>
#include <set>

#include "testing/backends.h"
#include "testing/determinism.h"

namespace tessera {
namespace {

/// Mean squared distance of the rows to their nearest centre, in double.
double error_of_centres(const std::vector<float>& rows, const std::vector<float>& centres,
                        size_t cols) {
  double total = 0;
  for (size_t n = 0; n < rows.size(); n += cols) {
    double best = 1e300;
    for (size_t k = 0; k < centres.size(); k += cols) {
      double sum = 0;
      for (size_t d = 0; d < cols; ++d) {
        const double t = double(rows[n + d]) - centres[k + d];
        sum += t * t;
      }
      best = std::min(best, sum);
    }
    total += best;
  }
  return total / double(rows.size() / cols);
}

class KmeansClusteringTest : public testing::BackendTest {
 protected:
  static constexpr int64_t kRows = 1500, kCols = 5;
  std::vector<float> rows_ = testing::normal<float>(kRows * kCols, 1);
  Tensor upload(int64_t rows, int64_t cols, const std::vector<float>& values) {
    return Tensor::from_host(rows, cols, values, device());
  }
};
TESSERA_FOR_EACH_BACKEND(KmeansClusteringTest);

TEST_P(KmeansClusteringTest, LloydNeverIncreasesTheError) {
  const Tensor rows = upload(kRows, kCols, rows_);
  Tensor centres = kmeans_plus_plus(rows.view(), device(), {.clusters = 40, .seed = 2});
  double before = error_of_centres(rows_, centres.to_host(), kCols);
  for (int i = 0; i < 15; ++i) {
    lloyd_iteration(rows.view(), centres);
    const double after = error_of_centres(rows_, centres.to_host(), kCols);
    ASSERT_LE(after, before * (1 + 1e-7)) << "iteration " << i;
    before = after;
  }
}

TEST_P(KmeansClusteringTest, LloydReportsTheErrorAndCountsOfTheAssignmentItUsed) {
  const Tensor rows = upload(kRows, kCols, rows_);
  Tensor centres = kmeans_plus_plus(rows.view(), device(), {.clusters = 40, .seed = 2});
  const double expected = error_of_centres(rows_, centres.to_host(), kCols);
  double error = 0;
  const std::vector<float> before = centres.to_host();
  const std::vector<float> counts = lloyd_iteration(rows.view(), centres, &error, false);
  EXPECT_NEAR(error, expected, 1e-6);
  EXPECT_EQ(centres.to_host(), before);  // not asked to update
  double total = 0;
  for (const float count : counts) total += count;
  EXPECT_EQ(total, kRows);
}

TEST_P(KmeansClusteringTest, AnEmptyClusterKeepsItsCentre) {
  const Tensor rows = upload(4, 1, {0, 1, 10, 11});
  Tensor centres = upload(3, 1, {0, 500, 10});
  EXPECT_EQ(lloyd_iteration(rows.view(), centres), (std::vector<float>{2, 0, 2}));
  EXPECT_EQ(centres.to_host(), (std::vector<float>{0.5f, 500, 10.5f}));
}

TEST_P(KmeansClusteringTest, FindsClustersThatAreFarApart) {
  // Twelve clusters at the corners of a large grid; squared seeding all but ensures one draw each.
  std::vector<float> rows;
  const auto noise = testing::uniform<float>(1200 * 2, 3, -0.1, 0.1);
  for (size_t n = 0; n < 1200; ++n) {
    rows.push_back(float(n % 4) * 100 + noise[2 * n]);
    rows.push_back(float(n / 4 % 3) * 100 + noise[2 * n + 1]);
  }
  const KmeansResult found =
      kmeans(upload(1200, 2, rows).view(), device(), {.clusters = 12, .iterations = 10, .seed = 1});
  EXPECT_LT(found.mean_sq_dist, 0.01);
  EXPECT_NEAR(found.mean_sq_dist, error_of_centres(rows, found.centres.to_host(), 2), 1e-6);
  EXPECT_EQ(found.counts, std::vector<float>(12, 100.0f));
}

TEST_P(KmeansClusteringTest, AWindowOfAWiderMatrixGivesTheSame) {
  std::vector<float> wide;
  for (size_t n = 0; n < kRows; ++n) {
    wide.insert(wide.end(), {99.0f, 99.0f});
    wide.insert(wide.end(), rows_.begin() + n * kCols, rows_.begin() + (n + 1) * kCols);
  }
  const Tensor whole = upload(kRows, kCols + 2, wide), narrow = upload(kRows, kCols, rows_);
  const KmeansOptions options{.clusters = 9, .iterations = 5, .seed = 4};
  const MatrixView<const float> window = {whole.view().data + 2, kRows, kCols, kCols + 2};
  EXPECT_EQ(kmeans(window, device(), options).centres.to_host(),
            kmeans(narrow.view(), device(), options).centres.to_host());
}

TEST_P(KmeansClusteringTest, AsManyClustersAsRowsReproduceThem) {
  const Tensor rows = upload(30, kCols, {rows_.begin(), rows_.begin() + 30 * kCols});
  EXPECT_EQ(kmeans(rows.view(), device(), {.clusters = 30, .iterations = 2}).mean_sq_dist, 0);
}

TEST_P(KmeansClusteringTest, RefusesMoreClustersThanRows) {
  const Tensor rows = upload(3, 1, {1, 2, 3});
  try {
    kmeans(rows.view(), device(), {.clusters = 4});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Config);
    EXPECT_NE(std::string(error.what()).find("3 rows for 4 clusters"), std::string::npos);
  }
}

TEST_P(KmeansClusteringTest, ReportsProgressAfterEachIteration) {
  std::vector<int> seen;
  kmeans(upload(kRows, kCols, rows_).view(), device(),
         {.clusters = 3, .iterations = 4, .progress = [&](int done, int of) {
            EXPECT_EQ(of, 4);
            seen.push_back(done);
          }});
  EXPECT_EQ(seen, (std::vector<int>{1, 2, 3, 4}));
}

TEST_P(KmeansClusteringTest, CpuHasTheSameBitsForAnyThreadsAndInstructions) {
  if (device().type != DeviceType::Cpu) GTEST_SKIP() << "about the CPU";
  const Tensor rows = upload(kRows, kCols, rows_);
  testing::expect_same_bits_everywhere([&] {
    return kmeans(rows.view(), device(), {.clusters = 33, .iterations = 4, .seed = 8})
        .centres.to_host();
  });
}

}  // namespace
}  // namespace tessera
