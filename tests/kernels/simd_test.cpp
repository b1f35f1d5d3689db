// Compiled once for each instruction set, like a kernel.

#define HWY_TARGET_INCLUDE "kernels/simd_test.cpp"
#include "cpu/simd_targets.h"
// First the targets, then all else.
#include <gtest/gtest.h>

#include <cmath>

#include "cpu/simd-inl.h"
#include "testing/determinism.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

double sum_of_squares(const real* x, int64_t n) {
  return fold_lanes(n, [&](auto d, int64_t i, auto acc) HWY_ATTR {
    const auto value = load_double(d, x + i);
    return mul_add(value, value, acc);
  });
}

double plain_sum(const real* x, int64_t n) { return sum_lanes(x, n); }

/// y = 1 - x * (3 x + y)
void polynomial(const real* x, real* y, int64_t n) {
  for_lanes(n, [&](auto d, int64_t i) HWY_ATTR {
    const auto value = hn::LoadU(d, x + i), three = hn::Set(d, real(3));
    const auto inner = mul_add(value, three, hn::LoadU(d, y + i));
    hn::StoreU(neg_mul_add(value, inner, hn::Set(d, real(1))), d, y + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {
HWY_EXPORT(sum_of_squares);
HWY_EXPORT(plain_sum);
HWY_EXPORT(polynomial);

namespace {

class SimdTest : public ::testing::TestWithParam<int64_t> {
 protected:
  SimdTest() : forced_(GetParam()) {}

 private:
  testing::ForcedSimdTarget forced_;
};
INSTANTIATE_TEST_SUITE_P(, SimdTest, ::testing::ValuesIn(testing::simd_targets()),
                         [](const auto& info) { return hwy::TargetName(info.param); });

constexpr int64_t kSizes[] = {0, 1, 15, 16, 17, 31, 32, 1000};

TEST_P(SimdTest, FoldAddsSixteenLanesInOrder) {
  for (const int64_t n : kSizes) {
    const std::vector<float> x = testing::normal<float>(n, 1);
    double lanes[16] = {}, expected = 0;
    for (int64_t i = 0; i < n; ++i)
      lanes[i % 16] = std::fma(double(x[i]), double(x[i]), lanes[i % 16]);
    for (const double lane : lanes) expected += lane;
    EXPECT_EQ(HWY_DYNAMIC_DISPATCH(sum_of_squares)(x.data(), n), expected) << n;
  }
}

TEST_P(SimdTest, SumAddsSixteenLanesInOrder) {
  for (const int64_t n : kSizes) {
    const std::vector<float> x = testing::normal<float>(n, 1);
    double lanes[16] = {}, expected = 0;
    for (int64_t i = 0; i < n; ++i) lanes[i % 16] += double(x[i]);
    for (const double lane : lanes) expected += lane;
    EXPECT_EQ(HWY_DYNAMIC_DISPATCH(plain_sum)(x.data(), n), expected) << n;
  }
}

TEST_P(SimdTest, MultiplyAddIsRoundedOnce) {
  for (const int64_t n : kSizes) {
    const std::vector<float> x = testing::normal<float>(n, 1);
    std::vector<float> y = testing::normal<float>(n, 2), expected = y;
    for (int64_t i = 0; i < n; ++i)
      expected[i] = std::fma(-x[i], std::fma(x[i], 3.0f, expected[i]), 1.0f);
    HWY_DYNAMIC_DISPATCH(polynomial)(x.data(), y.data(), n);
    testing::expect_same_bits(y, expected);
  }
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
