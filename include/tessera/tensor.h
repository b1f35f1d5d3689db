#pragma once

#include <vector>

#include "tessera/buffer.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {

/// Row-major matrix of `real` over a Buffer; copies share it.
class Tensor {
 public:
  Tensor() = default;
  Tensor(Buffer<real> values, int64_t rows, int64_t cols)
      : values_(std::move(values)), rows_(rows), cols_(cols) {
    TESSERA_CHECK(values_.size() == rows * cols, "Tensor: ", values_.size(), " values for [", rows,
                  ", ", cols, "]");
  }

  /// Contents start undefined.
  static Tensor empty(int64_t rows, int64_t cols, Device device,
                      Lifetime lifetime = Lifetime::Current) {
    return {Buffer<real>(rows * cols, device, lifetime), rows, cols};
  }
  static Tensor zeros(int64_t rows, int64_t cols, Device device,
                      Lifetime lifetime = Lifetime::Current) {
    Tensor tensor = empty(rows, cols, device, lifetime);
    tensor.values_.zero();
    return tensor;
  }
  static Tensor from_host(int64_t rows, int64_t cols, std::span<const real> values,
                          Device device = {}) {
    return {Buffer<real>::from_host(values, device), rows, cols};
  }

  bool is_null() const { return values_.empty(); }
  int64_t rows() const { return rows_; }
  int64_t cols() const { return cols_; }
  int64_t size() const { return rows_ * cols_; }
  Device device() const { return values_.device(); }

  MatrixView<const real> view() const { return {values_.data(), rows_, cols_, cols_}; }
  MatrixView<real> mutable_view() { return {values_.data(), rows_, cols_, cols_}; }
  VectorView<const real> flat() const { return values_.view(); }
  VectorView<real> mutable_flat() { return values_.mutable_view(); }
  void write(std::span<const real> values) { values_.write(values); }
  std::vector<real> to_host() const { return values_.to_host(); }

 private:
  Buffer<real> values_;
  int64_t rows_ = 0, cols_ = 0;
};

}  // namespace tessera::inline TESSERA_PRECISION
