#include "tessera/kernels/kmeans.h"

#include <limits>

#include "tessera/tensor.h"
#include "testing/backends.h"
#include "testing/determinism.h"

namespace tessera::kernels {
namespace {

class KmeansDrawTest : public testing::BackendTest {
 protected:
  struct Result {
    std::vector<float> sq_dist, centres;
  };
  /// Draws 0 to `draws - 1` from rows [N, cols].
  Result run(const std::vector<float>& rows, int64_t cols, int64_t draws, uint64_t seed,
             uint64_t stream_step = 0) {
    const int64_t count = static_cast<int64_t>(rows.size()) / cols;
    const auto from = Buffer<float>::from_host(rows, device());
    const float nan = std::numeric_limits<float>::quiet_NaN();
    auto sq_dist =
        Buffer<float>::from_host(std::vector<float>(static_cast<size_t>(count), nan), device());
    auto centres = Buffer<float>::from_host(
        std::vector<float>(static_cast<size_t>(draws * cols), nan), device());
    Buffer<double> sums((count + KmeansDraw::kBlock - 1) / KmeansDraw::kBlock, device());
    for (int64_t draw = 0; draw < draws; ++draw)
      on_device(device(), [&](auto& context) {
        kmeans_draw(context, {.rows = {from.data(), count, cols, cols},
                              .sq_dist = sq_dist.mutable_view(),
                              .centres = {centres.data(), draws, cols, cols},
                              .block_sums = sums.mutable_view(),
                              .draw = draw,
                              .seed = seed,
                              .stream_step = stream_step});
      });
    return {sq_dist.to_host(), centres.to_host()};
  }
  /// Which row of one column each centre is; rows differ.
  static std::vector<size_t> rows_drawn(const std::vector<float>& rows, const Result& result) {
    std::vector<size_t> drawn;
    for (const float centre : result.centres)
      drawn.push_back(
          static_cast<size_t>(std::find(rows.begin(), rows.end(), centre) - rows.begin()));
    return drawn;
  }
};
TESSERA_FOR_EACH_BACKEND(KmeansDrawTest);

TEST_P(KmeansDrawTest, TheFirstCentreIsAnyRowWithEqualProbability) {
  const std::vector<float> rows = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  std::vector<double> hits(10);
  constexpr int kRuns = 4000;
  for (uint64_t seed = 0; seed < kRuns; ++seed) ++hits[rows_drawn(rows, run(rows, 1, 1, seed))[0]];
  double chi_square = 0;
  for (const double count : hits) chi_square += (count - 400) * (count - 400) / 400;
  EXPECT_LT(chi_square, 27.9);  // 9 degrees of freedom: exceeded once in a thousand
}

TEST_P(KmeansDrawTest, TheSecondIsDrawnByItsSquaredDistance) {
  const std::vector<float> rows = {0, 1, 3, 7};
  double found[4][4] = {}, firsts[4] = {};
  constexpr int kRuns = 3000;
  for (uint64_t seed = 0; seed < kRuns; ++seed) {
    const auto drawn = rows_drawn(rows, run(rows, 1, 2, seed));
    ++firsts[drawn[0]];
    ++found[drawn[0]][drawn[1]];
  }
  for (size_t first = 0; first < 4; ++first) {
    double total = 0, chi_square = 0;
    for (const float row : rows) total += (row - rows[first]) * (row - rows[first]);
    for (size_t second = 0; second < 4; ++second) {
      const double away = rows[second] - rows[first];
      const double expected = firsts[first] * away * away / total;
      if (second == first)
        EXPECT_EQ(found[first][second], 0);
      else
        chi_square +=
            (found[first][second] - expected) * (found[first][second] - expected) / expected;
    }
    EXPECT_LT(chi_square, 13.9) << first;  // 2 degrees of freedom: exceeded once in a thousand
  }
}

TEST_P(KmeansDrawTest, DistancesAreThoseToTheNearestCentreDrawnBefore) {
  constexpr int64_t kRows = 1500, kCols = 19, kDraws = 6;
  const auto rows = testing::uniform<float>(kRows * kCols, 1);
  const Result result = run(rows, kCols, kDraws, 3);
  std::vector<double> expected;
  for (size_t n = 0; n < kRows; ++n) {
    double best = 1e30;
    for (size_t k = 0; k + 1 < kDraws; ++k) {  // the last centre has not been measured yet
      double sum = 0;
      for (size_t d = 0; d < kCols; ++d) {
        const double t = double(rows[n * kCols + d]) - result.centres[k * kCols + d];
        sum += t * t;
      }
      best = std::min(best, sum);
    }
    expected.push_back(best);
  }
  testing::expect_close(result.sq_dist, expected, 2e-6);  // about (D + 2) 2^-24
}

TEST_P(KmeansDrawTest, EveryCentreIsARowAndNoneComesTwice) {
  std::vector<float> rows;
  for (int i = 0; i < 3000; ++i) rows.push_back(float(i));  // three blocks
  const auto drawn = rows_drawn(rows, run(rows, 1, 30, 5));
  std::vector<size_t> sorted = drawn;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_LT(sorted.back(), rows.size());
  EXPECT_EQ(std::adjacent_find(sorted.begin(), sorted.end()), sorted.end());
}

TEST_P(KmeansDrawTest, AFarRowIsFoundInAnyBlock) {
  for (const size_t far : {size_t{0}, size_t{1023}, size_t{1024}, size_t{2047}, size_t{2999}}) {
    std::vector<float> rows(3000, 1.0f);
    rows[far] = 1000;
    const auto centres = run(rows, 1, 2, 9).centres;
    EXPECT_NE(centres[0], centres[1]) << far;  // all weight lies on the other value
  }
}

TEST_P(KmeansDrawTest, RowsThatAreAllEqualGiveRowZero) {
  const std::vector<float> rows(50, 2.5f);
  EXPECT_EQ(run(rows, 1, 3, 1).centres, (std::vector<float>{2.5f, 2.5f, 2.5f}));
}

TEST_P(KmeansDrawTest, ChangesWithSeedAndStream) {
  const auto rows = testing::uniform<float>(1000, 1);
  const auto base = run(rows, 1, 5, 1).centres;
  EXPECT_EQ(base, run(rows, 1, 5, 1).centres);
  EXPECT_NE(base, run(rows, 1, 5, 2).centres);
  EXPECT_NE(base, run(rows, 1, 5, 1, 1).centres);
}

TEST_P(KmeansDrawTest, CpuHasTheSameBitsForAnyThreadsAndInstructions) {
  if (device().type != DeviceType::Cpu) GTEST_SKIP() << "about the CPU";
  const auto rows = testing::uniform<float>(4000 * 37, 1);
  testing::expect_same_bits_everywhere([&] {
    Result result = run(rows, 37, 5, 1);
    result.sq_dist.insert(result.sq_dist.end(), result.centres.begin(), result.centres.end());
    return result.sq_dist;
  });
}

class KmeansCentresTest : public testing::BackendTest {};
TESSERA_FOR_EACH_BACKEND(KmeansCentresTest);

TEST_P(KmeansCentresTest, AreMeansAndStayWhereNothingCame) {
  const auto counts = Buffer<float>::from_host(std::vector<float>{2, 0, 4}, device());
  const auto sums = Buffer<float>::from_host(std::vector<float>{3, 5, 99, 99, -8, 2}, device());
  auto centres = Buffer<float>::from_host(std::vector<float>{0, 0, 7, 8, 0, 0}, device());
  on_device(device(), [&](auto& context) {
    kmeans_centres(context, {.counts = counts.view(),
                             .sums = {sums.data(), 3, 2, 2},
                             .centres = {centres.data(), 3, 2, 2}});
  });
  EXPECT_EQ(centres.to_host(), (std::vector<float>{1.5f, 2.5f, 7, 8, -2, 0.5f}));
}

}  // namespace
}  // namespace tessera::kernels
