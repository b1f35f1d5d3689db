#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "tessera/device.h"
#include "tessera/error.h"
#include "tessera/feature_matrix.h"

namespace tessera {

namespace column_blocks {

/// Columns copied at a time: a row's part of them is one cache line.
inline constexpr int64_t kTogether = 16;

/// Calls f(column, values) for the columns [first, first + kTogether) that there are. `scratch` keeps
/// its memory between calls.
template <class T, class F>
void visit(const T* matrix, int64_t cols, std::span<const int32_t> rows, int64_t first,
           std::vector<float>& scratch, F&& f) {
  const size_t count = rows.size();
  scratch.resize(count * kTogether);
  const int64_t width = std::min(kTogether, cols - first);
  for (size_t n = 0; n < count; ++n) {
    const T* row = matrix + rows[n] * cols + first;
    for (int64_t i = 0; i < width; ++i) scratch[i * count + n] = static_cast<float>(row[i]);
  }
  for (int64_t i = 0; i < width; ++i)
    f(first + i, std::span<float>(scratch.data() + i * count, count));
}

}  // namespace column_blocks

/// Calls f(column, values) for each column of a row-major matrix, `values` its floats in `rows`.
template <class T, class F>
void for_columns(const T* matrix, int64_t cols, std::span<const int32_t> rows, F&& f) {
  std::vector<float> scratch;
  for (int64_t first = 0; first < cols; first += column_blocks::kTogether)
    column_blocks::visit(matrix, cols, rows, first, scratch, f);
}

/// The same by threads() threads in any order; each calls a copy of `f`, so that what `f` holds by
/// value is its own. Throws what `f` first threw.
template <class F>
void for_columns_in_parallel(const float* matrix, int64_t cols, std::span<const int32_t> rows,
                             const F& f) {
  std::atomic<int64_t> next = 0;
  std::atomic<bool> failed = false;
  std::exception_ptr error;
  const auto work = [&] {
    try {
      F own = f;
      std::vector<float> scratch;
      for (int64_t first; (first = next.fetch_add(column_blocks::kTogether)) < cols;)
        column_blocks::visit(matrix, cols, rows, first, scratch, own);
    } catch (...) {
      if (!failed.exchange(true)) error = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> others;
    for (int i = 1; i < threads(); ++i) others.emplace_back(work);
    work();
  }
  if (error) std::rethrow_exception(error);
}

/// Where each of `names` stands in the matrix. Throws Error (Data), naming `where`, for one that is
/// not there.
inline std::vector<int64_t> columns_named(const FeatureMatrix& features,
                                          const std::vector<std::string>& names,
                                          const std::string& where) {
  std::unordered_map<std::string, int64_t> column;
  for (int64_t i = 0; i < features.cols(); ++i) column[features.names[i]] = i;
  std::vector<int64_t> places;
  for (const std::string& name : names) {
    const auto found = column.find(name);
    require(found != column.end(), ErrorKind::Data, where, ": feature ", name, " is not among the ",
            features.cols(), " features given; give the same ones");
    places.push_back(found->second);
  }
  return places;
}

}  // namespace tessera
