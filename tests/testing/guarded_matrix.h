#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "tessera/buffer.h"

namespace tessera::testing {

/// A matrix for a kernel to write, with guard words around it: three values behind every row, and a
/// row before and after.
template <class T>
class GuardedMatrix {
 public:
  GuardedMatrix(int64_t rows, int64_t cols, T guard, Device device = {})
      : rows_(rows),
        cols_(cols),
        pitch_(cols + 3),
        before_(static_cast<size_t>((rows + 2) * pitch_), guard),
        buffer_(Buffer<T>::from_host(before_, device)) {}

  MatrixView<T> view() { return {buffer_.data() + pitch_, rows_, cols_, pitch_}; }

  /// The matrix, packed. Fails the test if a guard word changed.
  std::vector<T> read() const {
    const std::vector<T> all = buffer_.to_host();
    std::vector<T> values;
    for (int64_t r = -1; r <= rows_; ++r)
      for (int64_t c = 0; c < pitch_; ++c) {
        const size_t i = static_cast<size_t>((r + 1) * pitch_ + c);
        if (r >= 0 && r < rows_ && c < cols_)
          values.push_back(all[i]);
        else if (std::memcmp(&all[i], &before_[i], sizeof(T)) != 0)
          ADD_FAILURE() << "the guard word at row " << r << " column " << c << " is " << all[i];
      }
    return values;
  }
  void write(const std::vector<T>& values) {
    for (int64_t r = 0; r < rows_; ++r)
      for (int64_t c = 0; c < cols_; ++c)
        before_[static_cast<size_t>((r + 1) * pitch_ + c)] =
            values[static_cast<size_t>(r * cols_ + c)];
    buffer_.write(before_);
  }

 private:
  int64_t rows_, cols_, pitch_;
  std::vector<T> before_;
  Buffer<T> buffer_;
};

}  // namespace tessera::testing
