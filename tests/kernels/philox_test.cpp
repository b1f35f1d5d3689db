#include "tessera/kernels/philox.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <set>

namespace tessera::kernels {
namespace {

using Words = std::array<uint32_t, 4>;

Words words(const Words& counter, uint64_t key) {
  const Random4 result = philox(counter.data(), key);
  return {result.word[0], result.word[1], result.word[2], result.word[3]};
}

// Known answers published with Random123 for philox4x32, 10 rounds.
TEST(PhiloxTest, GivesThePublishedAnswers) {
  EXPECT_EQ(words({0, 0, 0, 0}, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(words({~0u, ~0u, ~0u, ~0u}, ~uint64_t{0}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(words({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822u),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomUniformTest, IsTheHigh24BitsOfTheElementsWord) {
  const uint64_t element = (uint64_t{5} << 34) + 4 * 9 + 2;  // block 5 * 2^32 + 9, word 2
  const Words expected = words({9, 5, 77, 3}, 123);
  EXPECT_EQ(random_uniform(123, 3, 77, element), float(expected[2] >> 8) * 0x1p-24f);
}

TEST(RandomUniformTest, LiesInZeroToOneWithTheRightMoments) {
  constexpr int kDraws = 100000;
  double sum = 0, square = 0;
  for (int i = 0; i < kDraws; ++i) {
    const float u = random_uniform(1, 2, 3, static_cast<uint64_t>(i));
    ASSERT_GE(u, 0.0f);
    ASSERT_LT(u, 1.0f);
    sum += u;
    square += double(u) * u;
  }
  // Five standard deviations of the two estimates.
  EXPECT_NEAR(sum / kDraws, 0.5, 5 * 0.289 / std::sqrt(kDraws));
  EXPECT_NEAR(square / kDraws, 1.0 / 3, 5 * 0.298 / std::sqrt(kDraws));
}

TEST(RandomUniformTest, ChangesWithEachOfItsArguments) {
  const std::set<float> draws = {random_uniform(1, 2, 3, 4),
                                 random_uniform(9, 2, 3, 4),
                                 random_uniform(1 + (uint64_t{1} << 32), 2, 3, 4),
                                 random_uniform(1, 9, 3, 4),
                                 random_uniform(1, 2, 9, 4),
                                 random_uniform(1, 2, 3, 9),
                                 random_uniform(1, 2, 3, 5)};
  EXPECT_EQ(draws.size(), 7u);
}

TEST(RandomStreamTest, IndexedUsesDoNotReachOtherUses) {
  // A million dropout layers and a million codebooks are more than any model has.
  constexpr uint32_t kMany = 1000000;
  for (const uint32_t stream :
       {kStreamInit, kStreamSplit, kStreamShuffle, kStreamKmeans, kStreamSample, kStreamSynthetic})
    for (const uint32_t first : {uint32_t{kStreamDropout}, uint32_t{kStreamDeadCodes}})
      EXPECT_FALSE(stream >= first && stream < first + kMany) << stream;
  EXPECT_GE(kStreamDeadCodes, kStreamDropout + kMany);
}

}  // namespace
}  // namespace tessera::kernels
