#pragma once

#include <cstdint>
#include <vector>

#include "tessera/kernels/column_groups.h"
#include "tessera/kernels/views.h"

namespace tessera::inline TESSERA_PRECISION {

/// Rows that are equal, bit for bit, in the columns of a group: quantized rows are, a few codes over
/// and over. What depends on pairs of rows then depends on pairs of classes.
struct RepeatedRows {
  std::vector<int32_t> first;     // [classes] first row of each, ascending; empty: too many
  std::vector<int32_t> class_of;  // [rows]
  std::vector<int32_t> members;   // [rows] by class, ascending within each
  std::vector<int32_t> begin;     // [classes + 1] where the members of a class start

  bool empty() const { return first.empty(); }
  int64_t classes() const { return static_cast<int64_t>(first.size()); }
  /// Empty where there are more than `most` classes.
  void find(const MatrixView<const real>& x, const kernels::ColumnGroup& group, int64_t most);
};

/// What distances of rows are made from: a transposed copy of the rows, and for each group its classes
/// and the distances of classes to rows.
struct DistanceParts {
  const real* turned;  // distance_tile-inl.h
  const RepeatedRows* same;
  real* const* tables;
};

}  // namespace tessera::inline TESSERA_PRECISION
