#pragma once

#include "tessera/kernels/grids.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// begin <= i < end; empty where end <= begin.
struct Span {
  int32_t begin, end;
};

/// Positions (y, x) of one sample, y in `rows` and x in `columns`.
struct Rectangle {
  int64_t first_row;  // of the sample
  int32_t width;      // of the sample
  Span rows, columns;
};
TESSERA_HD int64_t row_of(const Rectangle& r, int32_t y, int32_t x) {
  return r.first_row + int64_t{y} * r.width + x;
}

/// Of one axis: the positions, out of `size`, that window o shows:
///   o stride - pad <= p < o stride - pad + length
TESSERA_HD Span positions_shown(int32_t o, int32_t length, int32_t stride, int32_t pad,
                                int32_t size) {
  const int32_t begin = o * stride - pad, end = begin + length;
  return {begin < 0 ? 0 : begin, end < size ? end : size};
}

/// Of one axis: the windows, out of `windows`, that show position p.
TESSERA_HD Span windows_that_show(int32_t p, int32_t length, int32_t stride, int32_t pad,
                                  int32_t windows) {
  const int32_t last = (p + pad) / stride, missed = p + pad - length;  // o stride > missed
  return {missed < 0 ? 0 : missed / stride + 1, last < windows ? last + 1 : windows};
}

/// The positions of the input that row q shows, a row of the sample that lies at `out` after the window.
TESSERA_HD Rectangle positions_shown(const GridPlace& in, const GridPlace& out,
                                     const Window& window, int64_t q) {
  const auto at = static_cast<int32_t>(q - out.first_row);
  return {in.first_row, in.width,
          positions_shown(at / out.width, window.height, window.stride_y, window.pad_y, in.height),
          positions_shown(at % out.width, window.width, window.stride_x, window.pad_x, in.width)};
}

/// The positions after the window that show row p, a row of the sample that lies at `in` before it.
TESSERA_HD Rectangle windows_that_show(const GridPlace& in, const GridPlace& out,
                                       const Window& window, int64_t p) {
  const auto at = static_cast<int32_t>(p - in.first_row);
  return {
      out.first_row, out.width,
      windows_that_show(at / in.width, window.height, window.stride_y, window.pad_y, out.height),
      windows_that_show(at % in.width, window.width, window.stride_x, window.pad_x, out.width)};
}

/// The steps of a series of `steps` that bin i of `bins` covers:
///   floor(i steps / bins) <= t < ceil((i + 1) steps / bins)
TESSERA_HD Span bin_of(int32_t i, int32_t steps, int32_t bins) {
  return {static_cast<int32_t>(int64_t{i} * steps / bins),
          static_cast<int32_t>(((int64_t{i} + 1) * steps + bins - 1) / bins)};
}

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
