#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace tessera::testing {

constexpr double kUlp = 0x1p-23;  ///< of a float of 1
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// One random word; none of the code under test has a part in it.
/// Source: Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators" (SplitMix64).
inline uint64_t next_word(uint64_t& state) {
  uint64_t z = state += 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/// n numbers in [low, high), the same on every machine.
template <class T>
std::vector<T> uniform(int64_t n, uint64_t seed, double low = -1, double high = 1) {
  std::vector<T> values(static_cast<size_t>(n));
  for (T& value : values) value = T(low + (high - low) * (double(next_word(seed) >> 11) * 0x1p-53));
  return values;
}

/// n standard normal numbers (sum of twelve uniform ones; the tails do not matter here).
template <class T>
std::vector<T> normal(int64_t n, uint64_t seed) {
  const std::vector<double> parts = uniform<double>(12 * n, seed, 0, 1);
  std::vector<T> values(static_cast<size_t>(n));
  for (size_t i = 0; i < values.size(); ++i) {
    double sum = -6;
    for (size_t j = 0; j < 12; ++j) sum += parts[12 * i + j];
    values[i] = T(sum);
  }
  return values;
}

/// The same, none closer to 0 than `gap`: away from the kink of relu.
template <class T>
std::vector<T> uniform_off_zero(int64_t n, uint64_t seed, double gap = 0.05) {
  std::vector<T> values = uniform<T>(n, seed);
  for (T& value : values) value += value < 0 ? T(-gap) : T(gap);
  return values;
}

/// What a gradient holds before a kernel adds to it: numbers, or NaN where beta 0 says that the
/// contents are undefined.
inline std::vector<float> old_values(int64_t n, float beta) {
  return beta == 0 ? std::vector<float>(static_cast<size_t>(n), std::nanf(""))
                   : uniform<float>(n, 1234);
}

/// n integers in [0, below).
inline std::vector<int32_t> integers(int64_t n, uint64_t seed, int32_t below) {
  std::vector<int32_t> values(static_cast<size_t>(n));
  for (int32_t& value : values)
    value = static_cast<int32_t>(next_word(seed) % static_cast<uint64_t>(below));
  return values;
}

/// Each |found - expected| <= tolerance * max(scale, |expected|); a NaN equals a NaN.
template <class T>
void expect_close(const std::vector<T>& found, const std::vector<double>& expected,
                  double tolerance, double scale = 1) {
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    if (std::isnan(expected[i]) && std::isnan(found[i])) continue;
    const double bound = tolerance * std::max(scale, std::abs(expected[i]));
    ASSERT_LE(std::abs(double(found[i]) - expected[i]), bound)
        << "element " << i << ": found " << found[i] << ", expected " << expected[i] << " +- "
        << bound;
  }
}

/// Equal bit for bit, NaN included.
template <class T>
void expect_same_bits(const std::vector<T>& found, const std::vector<T>& expected) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i)
    ASSERT_EQ(std::bit_cast<Bits>(found[i]), std::bit_cast<Bits>(expected[i]))
        << "element " << i << ": found " << found[i] << ", expected " << expected[i];
}

}  // namespace tessera::testing
