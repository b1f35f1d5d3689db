#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "tessera/buffer.h"

namespace tessera::testing {

/// Operand of a kernel with guard words: before it, after it, and between the rows of a matrix.
///
/// It starts at an odd address within its memory, so a kernel that assumes wide alignment shows.
/// values() reads it back without the guards and fails the test where one has changed.
template <class T>
class Guarded {
 public:
  Guarded(const std::vector<T>& values, Device device)
      : Guarded(values, 1, static_cast<int64_t>(values.size()), 0, device) {}
  Guarded(const std::vector<T>& values, int64_t rows, int64_t cols, Device device)
      : Guarded(values, rows, cols, kPadding, device) {}
  /// `count` values, or a matrix, that a kernel is to write.
  static Guarded out(int64_t count, Device device) {
    return {std::vector<T>(static_cast<size_t>(count), guard()), device};
  }
  static Guarded out(int64_t rows, int64_t cols, Device device) {
    return {std::vector<T>(static_cast<size_t>(rows * cols), guard()), rows, cols, device};
  }

  VectorView<T> vector() { return {memory_.data() + kGuards, rows_ * cols_}; }
  MatrixView<T> matrix() { return {memory_.data() + kGuards, rows_, cols_, ld_}; }
  VectorView<const T> view() const { return {memory_.data() + kGuards, rows_ * cols_}; }
  MatrixView<const T> matrix_view() const { return {memory_.data() + kGuards, rows_, cols_, ld_}; }

  std::vector<T> values() const {
    const std::vector<T> all = memory_.to_host();
    std::vector<T> inside;
    for (size_t i = 0; i < all.size(); ++i) {
      const int64_t at = static_cast<int64_t>(i) - kGuards;
      if (at >= 0 && at < rows_ * ld_ && at % ld_ < cols_)
        inside.push_back(all[i]);
      else
        EXPECT_TRUE(is_guard(all[i]))
            << "guard word " << at << " of [" << rows_ << ", " << cols_ << "] was written";
    }
    return inside;
  }

 private:
  static constexpr int64_t kGuards = 9, kPadding = 3;

  Guarded(const std::vector<T>& values, int64_t rows, int64_t cols, int64_t padding, Device device)
      : rows_(rows), cols_(cols), ld_(cols + padding) {
    std::vector<T> all(static_cast<size_t>(rows * ld_ + 2 * kGuards), guard());
    for (int64_t r = 0; r < rows; ++r)
      std::copy(values.begin() + r * cols, values.begin() + (r + 1) * cols,
                all.begin() + kGuards + r * ld_);
    memory_ = Buffer<T>::from_host(all, device);
  }
  static T guard() {
    T word;
    std::memset(static_cast<void*>(&word), 0xA5, sizeof word);
    return word;
  }
  static bool is_guard(const T& value) {
    const T word = guard();
    return std::memcmp(&value, &word, sizeof word) == 0;
  }

  int64_t rows_, cols_, ld_;
  Buffer<T> memory_;
};

/// Normal numbers, the same for the same seed.
inline std::vector<float> random_values(int64_t count, unsigned seed, float scale = 1) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal(0, scale);
  std::vector<float> values(static_cast<size_t>(count));
  for (float& value : values) value = normal(generator);
  return values;
}

/// Compares with binary64 results within `relative` of the largest magnitude that went into them.
inline void expect_near(const std::vector<float>& actual, const std::vector<double>& expected,
                        double relative, double magnitude = 1) {
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < actual.size(); ++i)
    ASSERT_NEAR(actual[i], expected[i], relative * std::max(magnitude, std::abs(expected[i])))
        << "value " << i;
}

/// Sizes around every border that a warp, a block or a tile of the kernels has.
inline constexpr int64_t kSizes[] = {0,  1,   31,  32,   33,   63,   64,
                                     65, 127, 129, 1023, 1024, 1025, 4097};

}  // namespace tessera::testing
