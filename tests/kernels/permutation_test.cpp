#include "tessera/kernels/permutation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace tessera::kernels {
namespace {

std::vector<uint64_t> permutation(uint64_t size, uint64_t seed, uint32_t stream, uint64_t epoch) {
  std::vector<uint64_t> result;
  for (uint64_t i = 0; i < size; ++i)
    result.push_back(permuted_index(seed, stream, epoch, i, size));
  return result;
}

void expect_permutation(uint64_t size, uint64_t seed) {
  std::vector<bool> seen(size);
  for (const uint64_t at : permutation(size, seed, 3, 1)) {
    ASSERT_LT(at, size);
    ASSERT_FALSE(seen[at]) << at << " comes twice, size " << size;
    seen[at] = true;
  }
}

TEST(PermutedIndexTest, IsAPermutationOfEverySmallSize) {
  for (uint64_t size = 1; size <= 300; ++size) expect_permutation(size, size);
}

TEST(PermutedIndexTest, IsAPermutationAroundPowersOfTwo) {
  for (const uint64_t power : {1u << 10, 1u << 11, 1u << 16, 1u << 17})
    for (const uint64_t size : {power - 1, power, power + 1}) expect_permutation(size, 7);
}

TEST(PermutedIndexTest, StaysInRangeForHugeSizes) {
  for (const uint64_t size : {(uint64_t{1} << 33) + 5, uint64_t{1} << 40, (uint64_t{1} << 62) - 1})
    for (uint64_t i = 0; i < 50; ++i) ASSERT_LT(permuted_index(1, 3, 1, size - 1 - i, size), size);
}

TEST(PermutedIndexTest, ChangesWithSeedStreamAndEpoch) {
  const auto base = permutation(100, 1, 3, 1);
  EXPECT_EQ(base, permutation(100, 1, 3, 1));
  EXPECT_NE(base, permutation(100, 2, 3, 1));
  EXPECT_NE(base, permutation(100, 1, 4, 1));
  EXPECT_NE(base, permutation(100, 1, 3, 2));
}

TEST(PermutedIndexTest, PutsEachPlaceEverywhereEquallyOften) {
  constexpr uint64_t kSize = 20, kEpochs = 20000;
  for (const uint64_t place : {uint64_t{0}, kSize - 1}) {
    std::vector<double> hits(kSize);
    for (uint64_t epoch = 0; epoch < kEpochs; ++epoch)
      ++hits[permuted_index(5, 3, epoch, place, kSize)];
    double chi_square = 0;
    const double expected = double(kEpochs) / kSize;
    for (const double count : hits)
      chi_square += (count - expected) * (count - expected) / expected;
    EXPECT_LT(chi_square, 43.8);  // 19 degrees of freedom: exceeded once in a thousand
  }
}

TEST(PermutedIndexTest, NeighboursDoNotStayNeighbours) {
  // Over many epochs a pair of places is adjacent, in this order, about once in `size`.
  constexpr uint64_t kSize = 50, kEpochs = 20000;
  int adjacent = 0;
  for (uint64_t epoch = 0; epoch < kEpochs; ++epoch)
    adjacent +=
        permuted_index(5, 3, epoch, 10, kSize) + 1 == permuted_index(5, 3, epoch, 11, kSize);
  EXPECT_NEAR(adjacent, double(kEpochs) / kSize, 5 * std::sqrt(double(kEpochs) / kSize));
}

}  // namespace
}  // namespace tessera::kernels
