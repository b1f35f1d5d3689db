#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tessera/error.h"

namespace tessera {

/// The valid steps of each sample one after another, as a packed batch of series wants them; what stands
/// behind a sample's length is not looked at.
///
/// values   [rows, steps, features]
/// lengths  [rows], steps of each sample that count
/// Returns [sum of lengths, features].
/// Throws Error (Data) naming the sample where a length is 0 or beyond the steps.
template <class T>
std::vector<T> pack_series(std::span<const T> values, int64_t rows, int64_t steps, int64_t features,
                           std::span<const int32_t> lengths) {
  TESSERA_CHECK(static_cast<int64_t>(values.size()) == rows * steps * features &&
                    static_cast<int64_t>(lengths.size()) == rows,
                "pack_series: ", values.size(), " values and ", lengths.size(), " lengths for [",
                rows, ", ", steps, ", ", features, "]");
  std::vector<T> packed;
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t length = lengths[static_cast<size_t>(row)];
    require(length >= 1 && length <= steps, ErrorKind::Data, "series: sample ", row, " has length ",
            length, "; lengths are 1 to ", steps);
    const auto first = values.begin() + row * steps * features;
    packed.insert(packed.end(), first, first + length * features);
  }
  return packed;
}

}  // namespace tessera
