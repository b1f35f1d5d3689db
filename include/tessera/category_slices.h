#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tessera/assignment_ops.h"

namespace tessera::inline TESSERA_PRECISION {

/// Where the values of each category lie in a tensor of a model that learns its categories. What one
/// model has of a category is found again in another that has fewer of them.
struct CategorySlices {
  /// `rows` rows of `cols` values, the first at `begin`, each `stride` values after the one before.
  struct Slice {
    int32_t category;
    int64_t begin, cols, rows = 1, stride = 0;
  };
  std::string tensor;         ///< its name in a checkpoint
  std::vector<Slice> slices;  ///< those of a category in the same order whatever others there are
};

// Slices of the parts a model is made of. Groups stand category by category, `levels` of them each;
// those of linear layers and norms become "<name>/weight" and "<name>/bias".
void add_linear_slices(std::vector<CategorySlices>& all, const std::string& name,
                       std::vector<kernels::LinearGroup> groups, int64_t levels);
void add_norm_slices(std::vector<CategorySlices>& all, const std::string& name,
                     std::vector<kernels::ColumnGroup> groups, int64_t levels);
/// Weights [outputs, columns of all groups] of an ordinary layer that reads the groups' columns.
void add_input_slices(std::vector<CategorySlices>& all, const std::string& name, int64_t outputs,
                      std::vector<kernels::ColumnGroup> groups, int64_t levels);
/// The first layers of RoutingTable.
void add_routing_slices(std::vector<CategorySlices>& all, const std::string& name,
                        std::span<const CategoryFamily> families, int64_t hidden);
/// Codebooks and what a quantizer keeps of each code, under the names of a checkpoint.
void add_codebook_slices(std::vector<CategorySlices>& all, const VqTable& table, int64_t levels);

/// Takes the values that `old`, laid out by `from`, has of category kept[k] for category k of `values`,
/// laid out by `to`. What belongs to no category stays as it is in `values`.
/// Throws Error (internal) where a category's slices differ in number or size.
template <class T>
void copy_slices(const CategorySlices& from, std::span<const T> old, const CategorySlices& to,
                 std::span<const int32_t> kept, std::span<T> values) {
  for (size_t k = 0; k < kept.size(); ++k) {
    std::vector<CategorySlices::Slice> mine, theirs;
    for (const CategorySlices::Slice& slice : to.slices)
      if (slice.category == static_cast<int32_t>(k)) mine.push_back(slice);
    for (const CategorySlices::Slice& slice : from.slices)
      if (slice.category == kept[k]) theirs.push_back(slice);
    TESSERA_CHECK(mine.size() == theirs.size(), to.tensor, ": category ", k, " has ", mine.size(),
                  " slices, it had ", theirs.size());
    for (size_t s = 0; s < mine.size(); ++s) {
      TESSERA_CHECK(mine[s].rows == theirs[s].rows && mine[s].cols == theirs[s].cols, to.tensor,
                    ": a slice of category ", k, " is [", mine[s].rows, ", ", mine[s].cols,
                    "], it was [", theirs[s].rows, ", ", theirs[s].cols, "]");
      for (int64_t r = 0; r < mine[s].rows; ++r)
        for (int64_t c = 0; c < mine[s].cols; ++c)
          values[static_cast<size_t>(mine[s].begin + r * mine[s].stride + c)] =
              old[static_cast<size_t>(theirs[s].begin + r * theirs[s].stride + c)];
    }
  }
}

}  // namespace tessera::inline TESSERA_PRECISION
