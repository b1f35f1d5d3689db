#include "kernels/matmul_cases.h"
#include "testing/backends.h"

namespace tessera {
namespace {

using testing::ForcedSimdTarget;
using testing::ForcedThreads;
using testing::layouts;
using testing::MatmulCase;

class MatmulTest : public ::testing::TestWithParam<int64_t> {};
INSTANTIATE_TEST_SUITE_P(, MatmulTest, ::testing::ValuesIn(testing::simd_targets()),
                         [](const auto& info) { return hwy::TargetName(info.param); });

// Sizes at and beside the edges of tiles (1, 2, 4, 8 rows), vectors (1, 8, 16 columns) and panels
// (2 or 3 vectors).
TEST_P(MatmulTest, EveryElementIsOneChain) {
  const ForcedSimdTarget target(GetParam());
  for (const int64_t m : {1, 2, 3, 7, 8, 9, 15, 23})
    for (const int64_t n : {1, 7, 8, 9, 16, 17, 33, 47, 48, 49, 100})
      for (const int64_t k : {1, 3, 4, 17}) {
        MatmulCase one = {m, n, k};
        one.has_beta = (m + n) % 2 == 0;
        one.has_bias = (m + n + k) % 3 == 0;
        for (const MatmulCase& layout : layouts(one)) layout.check();
      }
}

// Rows of a that lie 4 KiB apart are copied before use: more columns than a panel, more rows than are
// copied at a time.
TEST_P(MatmulTest, ATransposedOperandWhoseRowsAliasIsTheSameChain) {
  const ForcedSimdTarget target(GetParam());
  for (const int64_t m : {1024 - MatmulCase::kPad, 2048 - MatmulCase::kPad})
    for (const int64_t k : {3, 257}) {
      MatmulCase one = {m, 200, k};
      one.ta = kernels::Transpose::Yes;
      one.has_beta = k == 3;
      one.has_bias = k != 3;
      one.check();
    }
}

// Few columns, where rows are lanes: rows at and beside the edges of vectors and chunks.
TEST_P(MatmulTest, NarrowProductsAreTheSameChains) {
  const ForcedSimdTarget target(GetParam());
  for (const int64_t m : {15, 16, 17, 31, 32, 33, 65, 1023, 1025})
    for (int64_t n = 1; n <= 9; ++n)
      for (const int64_t k : {0, 3, 4, 21}) {
        MatmulCase one = {m, n, k};
        one.tb = kernels::Transpose::Yes;
        one.has_beta = (m + n) % 2 == 0;
        one.has_bias = (n + k) % 3 == 0;
        one.check();
      }
}

TEST_P(MatmulTest, BetaAndBiasStartTheChain) {
  const ForcedSimdTarget target(GetParam());
  for (const bool has_beta : {false, true})
    for (const bool has_bias : {false, true}) {
      MatmulCase one = {13, 37, 29};
      one.has_beta = has_beta;
      one.has_bias = has_bias;
      for (const MatmulCase& layout : layouts(one)) layout.check();
    }
}

TEST_P(MatmulTest, WithoutKOnlyTheStartRemains) {
  const ForcedSimdTarget target(GetParam());
  for (const bool has_beta : {false, true})
    for (const bool has_bias : {false, true}) {
      MatmulCase one = {5, 19, 0};
      one.has_beta = has_beta;
      one.has_bias = has_bias;
      for (const MatmulCase& layout : layouts(one)) layout.check();
    }
}

TEST_P(MatmulTest, EmptyProductWritesNothing) {
  const ForcedSimdTarget target(GetParam());
  for (const MatmulCase& one : {MatmulCase{0, 5, 3}, MatmulCase{5, 0, 3}, MatmulCase{0, 0, 0}})
    for (const MatmulCase& layout : layouts(one)) layout.check();
}

// More rows than a band, more of k than is packed at a time.
TEST_P(MatmulTest, CutsDoNotShow) {
  const ForcedSimdTarget target(GetParam());
  for (const MatmulCase& layout : layouts({.m = 1030, .n = 5, .k = 3, .has_bias = true}))
    layout.check();
  for (const MatmulCase& layout : layouts({.m = 3, .n = 18, .k = 4099, .has_bias = true}))
    layout.check();
}

TEST(MatmulThreadsTest, BitsDoNotDependOnThreads) {
  for (const MatmulCase& layout : layouts({.m = 300, .n = 200, .k = 90, .has_beta = true})) {
    const std::vector<float> expected = layout.expected();
    for (const int threads : {1, 2, 3}) {
      const ForcedThreads forced(threads);
      testing::expect_same_bits(layout.run(), expected);
    }
  }
}

TEST(MatmulThreadsTest, IsOneLaunch) {
  const int64_t before = cpu_context().launches();
  MatmulCase{100, 100, 3000}.run();
  EXPECT_EQ(cpu_context().launches() - before, 1);
}

TEST(MatmulThreadsTest, RefusesShapesThatDoNotFit) {
  std::vector<float> values(100);
  const kernels::Matmul product = {.a = {values.data(), 3, 4, 4},
                                   .b = {values.data(), 5, 6, 6},
                                   .c = {values.data(), 3, 6, 6},
                                   .bias = {}};
  const std::string error = testing::error_of([&] { kernels::matmul(cpu_context(), product); });
  EXPECT_NE(error.find("op(a) [3, 4] times op(b) [5, 6]"), std::string::npos) << error;
}

}  // namespace
}  // namespace tessera
