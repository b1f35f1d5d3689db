#pragma once

#include <span>

#include "tessera/error.h"
#include "tessera/kernels/groups.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// Some neighbouring columns of a matrix, for kernels that treat each such part alike.
struct ColumnGroup {
  int32_t cols;       // C_g
  int32_t begin = 0;  // first column

  struct Sizes {
    int64_t columns = 0;
  };
  /// Places the groups one after another.
  static Sizes pack(std::span<ColumnGroup> groups) {
    Sizes sizes;
    for (ColumnGroup& group : groups) {
      group.begin = static_cast<int32_t>(sizes.columns);
      sizes.columns += group.cols;
    }
    return sizes;
  }

  static constexpr int kColumnsPerTile = 8;
  enum Tiling { kByColumns, kTilings };
  static int32_t tiles(std::span<const ColumnGroup> all, size_t g, int) {
    return (all[g].cols + kColumnsPerTile - 1) / kColumnsPerTile;
  }
  static void check(std::span<const ColumnGroup> all) {
    for (const ColumnGroup& group : all)
      TESSERA_CHECK(group.cols > 0, "a group of ", group.cols, " columns; it needs one at least");
  }
};

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
