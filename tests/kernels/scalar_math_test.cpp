#include "tessera/kernels/scalar_math.h"
#include "testing/numbers.h"

#include <gtest/gtest.h>

#include <limits>

namespace tessera {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
using testing::kNan;

/// Calls f(x) for floats of both signs from the smallest to the largest: every 8191st, a prime, so
/// that all exponents and mantissa patterns come by.
template <class F>
void for_floats(F&& f) {
  for (uint64_t bits = 0; bits <= 0xFFFFFFFFu; bits += 8191) {
    const float x = std::bit_cast<float>(static_cast<uint32_t>(bits));
    if (x == x) f(x);
  }
}

/// The largest relative error of `found` over the floats in [low, high].
template <class Found, class Expected>
double worst_error(float low, float high, Found found, Expected expected) {
  double worst = 0;
  for_floats([&](float x) {
    if (x < low || x > high) return;
    const double right = expected(double(x));
    if (std::abs(right) < 1.2e-38) return;  // subnormal: fewer digits
    worst = std::max(worst, std::abs(double(found(x)) - right) / std::abs(right));
  });
  return worst;
}

TEST(ScalarExpTest, RelativeErrorIsBelowItsBound) {
  EXPECT_LT(worst_error(
                -87.3f, 88.7f, [](float x) { return math::exp(x); },
                [](double x) { return std::exp(x); }),
            1e-7);
}

TEST(ScalarExpTest, IsMonotoneAroundTheBordersOfItsReduction) {
  for (int n = -125; n <= 127; ++n) {
    const float border = float((n + 0.5) * 0.6931471805599453);
    float x = border - 1e-4f * std::abs(border);
    for (int i = 0; i < 100; ++i) {
      const float next = std::nextafter(x, kInf);
      // Two neighbours may come out one unit of the last place in the wrong order, not more.
      ASSERT_GE(math::exp(next), math::exp(x) * (1 - 1.3e-7f)) << x;
      x = next + 2e-6f * std::abs(border);
    }
  }
}

TEST(ScalarExpTest, EndsInZeroAndInfinityAndKeepsNan) {
  EXPECT_EQ(math::exp(0.0f), 1.0f);
  EXPECT_EQ(math::exp(-87.4f), 0.0f);
  EXPECT_EQ(math::exp(-kInf), 0.0f);
  EXPECT_EQ(math::exp(-std::numeric_limits<float>::max()), 0.0f);
  EXPECT_EQ(math::exp(88.75f), kInf);
  EXPECT_EQ(math::exp(kInf), kInf);
  EXPECT_TRUE(std::isnan(math::exp(kNan)));
  EXPECT_LT(math::exp(88.7f), kInf);
  EXPECT_GT(math::exp(-87.3f), 0.0f);
}

TEST(ScalarTanhTest, RelativeErrorIsBelowItsBound) {
  EXPECT_LT(worst_error(
                -kInf, kInf, [](float x) { return math::tanh(x); },
                [](double x) { return std::tanh(x); }),
            3e-7);
}

TEST(ScalarTanhTest, IsOddAndEndsInOne) {
  for_floats([](float x) { ASSERT_EQ(math::tanh(-x), -math::tanh(x)) << x; });
  EXPECT_EQ(math::tanh(0.0f), 0.0f);
  EXPECT_EQ(math::tanh(20.0f), 1.0f);
  EXPECT_EQ(math::tanh(kInf), 1.0f);
  EXPECT_EQ(math::tanh(-kInf), -1.0f);
  EXPECT_TRUE(std::isnan(math::tanh(kNan)));
}

TEST(ScalarSigmoidTest, RelativeErrorIsBelowItsBound) {
  EXPECT_LT(worst_error(
                -87.0f, kInf, [](float x) { return math::sigmoid(x); },
                [](double x) { return 1 / (1 + std::exp(-x)); }),
            2e-7);
}

TEST(ScalarSigmoidTest, EndsInZeroAndOneAndKeepsNan) {
  EXPECT_EQ(math::sigmoid(0.0f), 0.5f);
  EXPECT_EQ(math::sigmoid(kInf), 1.0f);
  EXPECT_EQ(math::sigmoid(-kInf), 0.0f);
  EXPECT_TRUE(std::isnan(math::sigmoid(kNan)));
}

}  // namespace
}  // namespace tessera
