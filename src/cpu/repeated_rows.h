#pragma once

#include <cstdint>
#include <vector>

#include "tessera/kernels/column_groups.h"
#include "tessera/kernels/views.h"

namespace tessera::inline TESSERA_PRECISION {

/// Transposed copies of rows have them in whole tiles of any target, ...
inline int64_t whole_tiles(int64_t rows) { return (rows + 31) / 32 * 32; }
/// ... and columns this far apart: not a power of two, or all columns fall on the same lines of L1.
inline int64_t turned_pitch(int64_t rows) { return whole_tiles(rows) + 16; }

/// Rows that are equal, bit for bit, in the columns of a group: quantized rows are, a few codes over
/// and over. What depends on pairs of rows then depends on pairs of classes.
struct RepeatedRows {
  std::vector<int32_t>
      first;  // [classes] first row of each, ascending; empty: too many to be of use
  std::vector<int32_t> class_of;  // [rows]
  std::vector<int32_t> members;   // [rows] by class, ascending within each
  std::vector<int32_t> begin;     // [classes + 1] where the members of a class start

  bool empty() const { return first.empty(); }
  int64_t classes() const { return static_cast<int64_t>(first.size()); }
  /// Of at most rows / 8 classes: with more of them a table of pairs saves nothing.
  void find(const MatrixView<const real>& x, const kernels::ColumnGroup& group);
};

}  // namespace tessera::inline TESSERA_PRECISION
