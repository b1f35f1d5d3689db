#pragma once

// Where the operands of a convolution lie: rows and taps, for the kernels of conv.cu and
// conv_weight_grad.cu.

#include "launch.cuh"
#include "tessera/kernels/grids.h"

namespace tessera::inline TESSERA_PRECISION::kernels {

/// Position (y, x) of a sample, which may lie outside of it.
struct PlaceAt {
  int64_t first_row;
  int32_t height, width;
  int32_t y, x;
};
/// The row (dy, dx) away from a position; -1 outside the sample.
__device__ inline int64_t row_at(const PlaceAt& at, int32_t dy, int32_t dx) {
  const int32_t y = at.y + dy, x = at.x + dx;
  if (y < 0 || y >= at.height || x < 0 || x >= at.width) return -1;
  return at.first_row + int64_t{y} * at.width + x;
}

/// The input position that output row q shows at element (0, 0) of the window. A row that does not
/// exist is in a sample without positions.
__device__ inline PlaceAt first_shown(const Grids& in, const Grids& out, const Window& w,
                                      int64_t q) {
  if (q >= out.rows) return {};
  const int32_t sample = sample_of(out, q);
  const GridPlace from = place_of(in, sample), to = place_of(out, sample);
  const auto at = static_cast<int32_t>(q - to.first_row);
  return {from.first_row, from.height, from.width, at / to.width * w.stride_y - w.pad_y,
          at % to.width * w.stride_x - w.pad_x};
}

/// Step k of a sum over the elements of a window and the channels at each: (i, j, channel), the last
/// running fastest.
struct Tap {
  int32_t i, j;
  int32_t channel;
};
__device__ inline Tap tap_of(int64_t k, int64_t channels, int32_t width) {
  const unsigned at = static_cast<unsigned>(k), tap = at / static_cast<unsigned>(channels);
  const unsigned across = static_cast<unsigned>(width);
  return {static_cast<int32_t>(tap / across), static_cast<int32_t>(tap % across),
          static_cast<int32_t>(at % static_cast<unsigned>(channels))};
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
