#pragma once

#include <cstdint>

#include "tessera/kernels/host_device.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// Where one sample lies in a packed batch of grids: position (y, x) is row first_row + y width + x.
/// A series is a grid of height 1, a step a position.
struct GridPlace {
  int64_t first_row;
  int32_t height, width;
};

/// Samples of a batch as rows of one matrix, one row a position, one column a channel (channels last),
/// sample after sample without gaps. Samples may differ in size: nothing is stored for what a sample
/// does not have, so padding cannot be seen.
struct Grids {
  const GridPlace* places = nullptr;  // [count], rising; null: every sample is height x width
  int32_t count = 0;
  int32_t height = 0, width = 0;  // where places is null
  int64_t rows = 0;               // of all samples
};

TESSERA_HD GridPlace place_of(const Grids& grids, int32_t sample) {
  if (grids.places != nullptr) return grids.places[sample];
  return {int64_t{sample} * grids.height * grids.width, grids.height, grids.width};
}

/// The sample that row `row` belongs to.
TESSERA_HD int32_t sample_of(const Grids& grids, int64_t row) {
  if (grids.places == nullptr)
    return static_cast<int32_t>(row / (int64_t{grids.height} * grids.width));
  int32_t low = 0, high = grids.count;  // places[low].first_row <= row < places[high].first_row
  while (high - low > 1) {
    const int32_t middle = low + (high - low) / 2;
    if (grids.places[middle].first_row <= row)
      low = middle;
    else
      high = middle;
  }
  return low;
}

/// A window that slides over a grid: output position (y, x) sees input positions
///   (y stride_y - pad_y + i, x stride_x - pad_x + j),  0 <= i < height, 0 <= j < width
/// On series: height 1, stride_y 1, pad_y 0.
struct Window {
  int32_t height = 1, width = 1;
  int32_t stride_y = 1, stride_x = 1;
  int32_t pad_y = 0, pad_x = 0;
  bool operator==(const Window&) const = default;
};

/// Positions along one axis after a window: floor((size + 2 pad - length) / stride) + 1.
TESSERA_HD int32_t positions_after(int32_t size, int32_t length, int32_t stride, int32_t pad) {
  return (size + 2 * pad - length) / stride + 1;
}

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
