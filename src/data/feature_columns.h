#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "tessera/error.h"
#include "tessera/feature_matrix.h"

namespace tessera {

/// Calls f(column, values) for each column of a row-major matrix, `values` its floats in `rows`.
/// Sixteen columns are copied at a time: a row's part of them is one cache line.
template <class T, class F>
void for_columns(const T* matrix, int64_t cols, std::span<const int32_t> rows, F&& f) {
  constexpr int64_t kTogether = 16;
  const size_t count = rows.size();
  std::vector<float> columns(count * kTogether);
  for (int64_t first = 0; first < cols; first += kTogether) {
    const int64_t width = std::min(kTogether, cols - first);
    for (size_t n = 0; n < count; ++n) {
      const T* row = matrix + rows[n] * cols + first;
      for (int64_t i = 0; i < width; ++i) columns[i * count + n] = static_cast<float>(row[i]);
    }
    for (int64_t i = 0; i < width; ++i)
      f(first + i, std::span<float>(columns.data() + i * count, count));
  }
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
