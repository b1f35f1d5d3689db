#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "tessera/simulate.h"

namespace tessera {
namespace {

class PlantedTest : public ::testing::Test {
 protected:
  explicit PlantedTest(bool even = false) : data_(planted_data({.samples = 2000, .even = even})) {}

  int64_t cols() const { return data_.layout.families[0].cols(); }
  double at(int64_t n, int64_t c) const {
    return double(data_.values.families[0][static_cast<size_t>(n * cols() + c)]);
  }
  /// Columns have mean 0 and deviation 1.
  double correlation(int64_t a, int64_t b) const {
    double sum = 0;
    for (int64_t n = 0; n < data_.values.rows; ++n) sum += at(n, a) * at(n, b);
    return sum / double(data_.values.rows);
  }
  /// Mean |correlation| of pairs of columns for which `wanted` holds.
  double mean_correlation(const std::function<bool(size_t, size_t)>& wanted) const {
    double sum = 0, count = 0;
    for (int64_t a = 0; a < cols(); ++a)
      for (int64_t b = a + 1; b < cols(); ++b)
        if (wanted(static_cast<size_t>(a), static_cast<size_t>(b))) {
          sum += std::abs(correlation(a, b));
          ++count;
        }
    return sum / count;
  }
  bool same_block(size_t a, size_t b) const {
    return data_.block[a] >= 0 && data_.block[a] == data_.block[b];
  }

  PlantedData data_;
};

class EvenPlantedTest : public PlantedTest {
 protected:
  EvenPlantedTest() : PlantedTest(true) {}
};

TEST_F(PlantedTest, BlocksHaveTheirSizes) {
  std::map<int32_t, int> sizes;
  for (const int32_t block : data_.block) ++sizes[block];
  EXPECT_EQ(sizes,
            (std::map<int32_t, int>{
                {-1, 12}, {0, 25}, {1, 22}, {2, 18}, {3, 15}, {4, 12}, {5, 10}, {6, 10}, {7, 8}}));
  EXPECT_EQ(std::count(data_.cosine.begin(), data_.cosine.end(), true), 0);
}

TEST_F(PlantedTest, ColumnsArePermuted) {
  int neighbours = 0;
  for (size_t i = 1; i < data_.block.size(); ++i)
    neighbours += data_.block[i] == data_.block[i - 1];
  EXPECT_LT(neighbours, 40);  // 123 in order, some 18 by chance
}

TEST_F(PlantedTest, ColumnsAreStandardised) {
  for (int64_t c = 0; c < cols(); ++c) {
    double sum = 0;
    for (int64_t n = 0; n < data_.values.rows; ++n) sum += at(n, c);
    EXPECT_NEAR(sum / double(data_.values.rows), 0, 1e-6) << c;
    EXPECT_NEAR(correlation(c, c), 1, 1e-6) << c;
  }
}

TEST_F(PlantedTest, CorrelationSeesTheBlocksAndNothingElse) {
  EXPECT_GT(mean_correlation([&](size_t a, size_t b) { return same_block(a, b); }), 0.4);
  // Of independent columns: sqrt(2 / (pi 2000)) = 0.018.
  EXPECT_LT(mean_correlation([&](size_t a, size_t b) { return !same_block(a, b); }), 0.025);
}

TEST_F(EvenPlantedTest, EverySecondFeatureOfABlockIsInvisible) {
  EXPECT_EQ(std::count(data_.cosine.begin(), data_.cosine.end(), true),
            12 + 11 + 9 + 7 + 6 + 5 + 5 + 4);
  const auto cosine_with_tanh = [&](size_t a, size_t b) {
    return same_block(a, b) && data_.cosine[a] != data_.cosine[b];
  };
  const auto tanh_pair = [&](size_t a, size_t b) {
    return same_block(a, b) && !data_.cosine[a] && !data_.cosine[b];
  };
  EXPECT_LT(mean_correlation(cosine_with_tanh), 0.03);
  EXPECT_GT(mean_correlation(tanh_pair), 0.4);
}

/// cos is even in its factors, so it goes with the squares of the others.
TEST_F(EvenPlantedTest, TheInvisibleFeaturesAreNoNoise) {
  double strongest = 0;
  for (size_t a = 0; a < data_.block.size(); ++a) {
    if (!data_.cosine[a]) continue;
    for (size_t b = 0; b < data_.block.size(); ++b) {
      if (!same_block(a, b) || data_.cosine[b]) continue;
      double both = 0, squares = 0;
      for (int64_t n = 0; n < data_.values.rows; ++n) {
        const double square = at(n, int64_t(b)) * at(n, int64_t(b)) - 1;
        both += at(n, int64_t(a)) * square;
        squares += square * square;
      }
      strongest =
          std::max(strongest, std::abs(both) / std::sqrt(squares * double(data_.values.rows)));
    }
  }
  EXPECT_GT(strongest, 0.5);
}

TEST_F(PlantedTest, AnotherSeedIsAnotherDataSet) {
  const PlantedData other = planted_data({.samples = 2000, .seed = 1});
  EXPECT_NE(other.block, data_.block);
  EXPECT_NE(other.values.families[0], data_.values.families[0]);
}

}  // namespace
}  // namespace tessera
