#include "tessera/kernels/correlation.h"

#include <cmath>

#include "testing/backends.h"
#include "testing/determinism.h"
#include "testing/guarded.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::kNan;

struct Result {
  std::vector<double> r, means, norms;
};

/// The contract, word by word.
Result by_definition(const std::vector<float>& x, int64_t rows, int64_t cols) {
  Result result;
  for (int64_t i = 0; i < cols; ++i) {
    double lanes[16] = {}, sum = 0;
    for (int64_t n = 0; n < rows; ++n) lanes[n % 16] += double(x[n * cols + i]);
    for (const double lane : lanes) sum += lane;
    result.means.push_back(sum / double(rows));
  }
  const auto product = [&](int64_t i, int64_t j) {
    double total = 0;
    for (int64_t first = 0; first < rows; first += 4096) {
      double slice = 0;
      for (int64_t n = first; n < std::min(rows, first + 4096); ++n)
        slice = std::fma(double(x[n * cols + i]) - result.means[i],
                         double(x[n * cols + j]) - result.means[j], slice);
      total += slice;
    }
    return total;
  };
  for (int64_t i = 0; i < cols; ++i) {
    const double square = product(i, i), least = 0x1p-40 * result.means[i];
    result.norms.push_back(square <= double(rows) * (least * least) ? 0 : std::sqrt(square));
  }
  for (int64_t i = 0; i < cols; ++i)
    for (int64_t j = 0; j < cols; ++j) {
      const double norm = result.norms[i] * result.norms[j];
      const double r = norm == 0 ? 0 : product(std::min(i, j), std::max(i, j)) / norm;
      result.r.push_back(i == j ? 1 : std::min(1.0, std::max(-1.0, r)));
    }
  return result;
}

/// Columns with common parts: column i has that of i % 3.
std::vector<float> related_columns(int64_t rows, int64_t cols, uint64_t seed) {
  std::vector<float> x = testing::uniform<float>(rows * cols, seed);
  const std::vector<float> common = testing::uniform<float>(rows * 3, seed + 1);
  for (int64_t n = 0; n < rows; ++n)
    for (int64_t i = 0; i < cols; ++i)
      x[n * cols + i] += float(i % 5) * common[3 * n + i % 3] + float(i) * 10;
  return x;
}

class CorrelationKernelTest : public testing::BackendTest {
 protected:
  Result correlate(const std::vector<float>& values, int64_t rows, int64_t cols) {
    const testing::Guarded<float> x(values, rows, cols, device());
    auto r = testing::Guarded<double>::out(cols, cols, device());
    auto means = testing::Guarded<double>::out(cols, device());
    auto norms = testing::Guarded<double>::out(cols, device());
    run([&](auto& context) {
      correlation(context, {.x = x.matrix_view(),
                            .r = r.matrix(),
                            .means = means.vector(),
                            .norms = norms.vector()});
    });
    return {r.values(), means.values(), norms.values()};
  }
};
TESSERA_FOR_EACH_BACKEND(CorrelationKernelTest);

// Sizes around the borders of vectors, panels, tiles, bands of 1,024 and slices of 4,096 rows.
TEST_P(CorrelationKernelTest, HasTheBitsOfItsDefinition) {
  for (const auto& [rows, cols] : std::vector<std::pair<int64_t, int64_t>>{
           {2, 1}, {17, 3}, {33, 24}, {129, 25}, {1025, 33}, {4097, 7}, {5200, 49}}) {
    SCOPED_TRACE(::testing::Message() << rows << " x " << cols);
    const std::vector<float> x = related_columns(rows, cols, 7);
    const Result expected = by_definition(x, rows, cols), found = correlate(x, rows, cols);
    testing::expect_same_bits(found.means, expected.means);
    testing::expect_same_bits(found.norms, expected.norms);
    testing::expect_same_bits(found.r, expected.r);
  }
}

TEST_P(CorrelationKernelTest, OfOneRowIsZeroBesideTheDiagonal) {
  EXPECT_EQ(correlate({3, 4}, 1, 2).r, (std::vector<double>{1, 0, 0, 1}));
}

// The mean of many 0.1f is not 0.1f: only relative to it the rest is nothing.
TEST_P(CorrelationKernelTest, AConstantColumnCorrelatesWithNothing) {
  std::vector<float> x;
  for (int64_t n = 0; n < 1000; ++n) x.insert(x.end(), {0.1f, float(n), 1e6f});
  const Result found = correlate(x, 1000, 3);
  EXPECT_EQ(found.r, (std::vector<double>{1, 0, 0, 0, 1, 0, 0, 0, 1}));
  EXPECT_EQ(found.norms[0], 0);
  EXPECT_EQ(found.norms[2], 0);
}

TEST_P(CorrelationKernelTest, OneValueThatDiffersIsNotConstant) {
  std::vector<float> x;
  for (int64_t n = 0; n < 5000; ++n)
    x.insert(x.end(), {n == 17 ? std::nextafter(0.1f, 1.0f) : 0.1f, n == 17 ? 1.0f : 0.0f});
  EXPECT_NEAR(correlate(x, 5000, 2).r[1], 1, 1e-6);
}

TEST_P(CorrelationKernelTest, EqualAndOppositeColumnsAreWithinOne) {
  std::vector<float> x;
  for (const float value : testing::uniform<float>(777, 3))
    x.insert(x.end(), {value, 3 * value, -value});
  const Result found = correlate(x, 777, 3);
  for (const double r : found.r) EXPECT_LE(std::abs(r), 1);
  EXPECT_NEAR(found.r[1], 1, 1e-7);
  EXPECT_NEAR(found.r[2], -1, 1e-15);
}

TEST_P(CorrelationKernelTest, ANanStaysInItsRowAndColumn) {
  std::vector<float> x = testing::uniform<float>(300, 4);
  x[3 * 50 + 1] = kNan;
  for (int64_t n = 0; n < 100; ++n) x[3 * n + 2] = 5;  // NaN even beside a constant
  const Result found = correlate(x, 100, 3);
  for (const int i : {1, 3, 4, 5, 7}) EXPECT_TRUE(std::isnan(found.r[i])) << i;
  EXPECT_EQ(found.r[0], 1);
  EXPECT_EQ(found.r[2], 0);
}

TEST(CorrelationCpuTest, HasTheSameBitsForAnyThreadsAndInstructions) {
  constexpr int64_t kRows = 4200, kCols = 53;
  const std::vector<float> x = related_columns(kRows, kCols, 9);
  testing::expect_same_bits_everywhere([&] {
    std::vector<double> r(kCols * kCols), means(kCols), norms(kCols);
    correlation(cpu_context(), {.x = {x.data(), kRows, kCols, kCols},
                                .r = {r.data(), kCols, kCols, kCols},
                                .means = {means.data(), kCols},
                                .norms = {norms.data(), kCols}});
    return r;
  });
}

}  // namespace
}  // namespace tessera::kernels
