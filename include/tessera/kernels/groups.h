#pragma once

#include <cstdint>

#include "tessera/kernels/host_device.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// Many problems of different sizes (a ragged batch) as one launch sees them; see group_table.h.
///
/// `Group` is a plain struct: where the problem's operands lie in flat buffers shared by all. It
/// gives four things:
///   enum Tiling { ..., kTilings }               the ways to cut one problem into blocks
///   static int32_t tiles(all, g, tiling)        how many blocks group g has, cut that way
///   static void check(all)                      throws Error where groups conflict
///   static Sizes pack(groups)                   places operands one after another (for callers)
template <class Group>
struct Groups {
  struct Entry {
    Group group;
    int32_t first_tile[Group::kTilings];  // tiles of all groups before this one
  };
  const Entry* entries = nullptr;  // [count], on the device
  int32_t count = 0;
  int32_t tiles[Group::kTilings] = {};  // over all groups; known to the host, for the grid

  TESSERA_HD const Group& operator[](int32_t g) const { return entries[g].group; }
};

struct GroupTile {
  int32_t group;
  int32_t tile;  // within the group
};

/// Which group owns tile `tile` of the whole table. A group without tiles owns none.
template <class Group>
TESSERA_HD GroupTile find_tile(const Groups<Group>& groups, int tiling, int32_t tile) {
  int32_t low = 0, high = groups.count;  // [low, high) holds the last with first_tile <= tile
  while (high - low > 1) {
    const int32_t middle = (low + high) / 2;
    if (groups.entries[middle].first_tile[tiling] <= tile)
      low = middle;
    else
      high = middle;
  }
  return {low, tile - groups.entries[low].first_tile[tiling]};
}

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
