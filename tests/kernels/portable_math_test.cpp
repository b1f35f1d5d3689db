#include "tessera/kernels/portable_math.h"

#include <gtest/gtest.h>

#include "testing/numbers.h"

namespace tessera {
namespace {

TEST(PortableMathTest, LogIsThatOfTheLibraryWithinFewUnits) {
  for (const double x : testing::uniform<double>(2000, 1, -300, 300)) {
    const double value = std::pow(10.0, x), expected = std::log(value);
    EXPECT_NEAR(math::portable_log(value), expected, 1e-15 + 4e-16 * std::abs(expected)) << value;
  }
  EXPECT_EQ(math::portable_log(1), 0);
}

TEST(PortableMathTest, CosineIsThatOfTheLibraryWithinFewUnits) {
  for (const double x : testing::uniform<double>(2000, 2, -2, 2)) {
    EXPECT_NEAR(math::portable_cos_turns(x), std::cos(6.283185307179586476925 * x), 4e-15) << x;
    EXPECT_NEAR(math::portable_sin_turns(x), std::sin(6.283185307179586476925 * x), 4e-15) << x;
  }
}

TEST(PortableMathTest, QuartersAreExact) {
  const double cosines[] = {1, 0, -1, 0}, sines[] = {0, 1, 0, -1};
  for (int quarter = -8; quarter < 8; ++quarter) {
    EXPECT_EQ(math::portable_cos_turns(quarter / 4.0), cosines[(quarter + 8) % 4]) << quarter;
    EXPECT_EQ(math::portable_sin_turns(quarter / 4.0), sines[(quarter + 8) % 4]) << quarter;
  }
}

}  // namespace
}  // namespace tessera
