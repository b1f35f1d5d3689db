#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tessera/kernels/grids.h"

namespace tessera::inline TESSERA_PRECISION::kernels {

/// Positions of one axis whose windows meet the sample in the same way: begin, begin + step, ...
/// The first tap that hits is `tap`, the next ones lie tap_step apart.
struct AxisSegment {
  int32_t begin, step, count;
  int32_t tap, taps;
  int32_t source, source_step;  // what the first tap hits, and how far the next position's is
};

/// What meets what in one direction of a convolution: "targets" are rows of the result, "sources"
/// rows of what is summed.
///   forward, weight gradient:  targets are output positions, sources input positions
///   input gradient:            the other way round; only the taps that hit are visited
struct ConvGeometry {
  Grids source, target;
  Window window;
  bool backward = false;
  int64_t source_ld = 0;   // values between two source rows
  int64_t tap_values = 0;  // values of a source row: the length of the sum for one tap

  int32_t tap_step_y() const { return backward ? window.stride_y : 1; }
  int32_t tap_step_x() const { return backward ? window.stride_x : 1; }
};

/// Part of a sample: target positions [y_begin, y_end) x [x_begin, x_end).
struct ConvPiece {
  int32_t sample, y_begin, y_end, x_begin, x_end;
  int64_t rows() const { return int64_t{y_end - y_begin} * (x_end - x_begin); }
};

/// The batch as pieces, and the pieces as chunks of about `wanted` target rows.
struct ConvPieces {
  std::vector<ConvPiece> pieces;
  std::vector<int64_t> first;  // [chunks + 1] into pieces

  ConvPieces(const Grids& target, int64_t wanted);
  int64_t chunks() const { return static_cast<int64_t>(first.size()) - 1; }
};

/// A stretch of the sum: `count` values from `offset` values behind a row's source on, against the
/// weights from `weight` on.
struct ConvRun {
  int64_t offset, weight, count;
};

/// Target rows that need the same runs.
struct ConvClass {
  int32_t tap_y, taps_y, tap_x, taps_x;
  int64_t pitch;  // values between two lines of the source, where the window has several
  int64_t first_run, runs, first_row, rows;
};

/// What the first tap that hits meets, in values, and the target row.
struct ConvRow {
  int64_t source, target;
};

/// The target rows of some pieces, by class. Taps beyond the border of a sample are in no run, so no
/// zero is ever multiplied; a class that nothing meets has no runs.
class ConvRows {
 public:
  void build(const ConvGeometry& g, const ConvPiece* begin, const ConvPiece* end);

  const std::vector<ConvClass>& classes() const { return classes_; }
  const ConvRow* rows(const ConvClass& c) const { return rows_.data() + c.first_row; }
  const ConvRun* runs(const ConvClass& c) const { return runs_.data() + c.first_run; }

 private:
  struct Box {
    int32_t which;     // of classes_
    AxisSegment y, x;  // clipped to the piece
    int64_t source_row, target_row;
    int32_t source_width, target_width;
  };
  void cut_axes(const ConvGeometry& g, const GridPlace& source, const GridPlace& target);
  int32_t class_of(const ConvGeometry& g, const AxisSegment& y, const AxisSegment& x,
                   int64_t pitch);
  void make_runs(const ConvGeometry& g, ConvClass& c);

  std::vector<AxisSegment> y_, x_;  // of the size below
  int32_t sizes_[4] = {-1, -1, -1, -1};
  std::vector<Box> boxes_;
  std::vector<ConvClass> classes_;
  std::vector<ConvRun> runs_;
  std::vector<ConvRow> rows_;
};

}  // namespace tessera::inline TESSERA_PRECISION::kernels
