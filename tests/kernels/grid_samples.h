#pragma once

#include <vector>

#include "tessera/buffer.h"
#include "tessera/kernels/grids.h"

namespace tessera::testing {

struct GridSize {
  int32_t height, width;
};

/// Samples one after another in the rows of a matrix, for the tests of kernels.
class GridSamples {
 public:
  explicit GridSamples(std::vector<GridSize> sizes) : sizes_(std::move(sizes)) {
    for (const GridSize& s : sizes_) {
      places_.push_back({rows_, s.height, s.width});
      rows_ += int64_t{s.height} * s.width;
    }
  }
  const std::vector<kernels::GridPlace>& places() const { return places_; }
  int64_t rows() const { return rows_; }
  size_t count() const { return sizes_.size(); }

  /// The same samples after a window.
  GridSamples after(const kernels::Window& w) const {
    std::vector<GridSize> sizes;
    for (const GridSize& s : sizes_)
      sizes.push_back({kernels::positions_after(s.height, w.height, w.stride_y, w.pad_y),
                       kernels::positions_after(s.width, w.width, w.stride_x, w.pad_x)});
    return GridSamples(sizes);
  }

 private:
  std::vector<GridSize> sizes_;
  std::vector<kernels::GridPlace> places_;
  int64_t rows_ = 0;
};

/// GridSamples in a device's memory: as a table, or by one size where `is_uniform`.
class DeviceGrids {
 public:
  DeviceGrids(const GridSamples& samples, bool is_uniform, Device device)
      : table_(Buffer<kernels::GridPlace>::from_host(samples.places(), device)) {
    grids_.count = static_cast<int32_t>(samples.count());
    grids_.rows = samples.rows();
    if (!is_uniform) grids_.places = table_.data();
    if (is_uniform && grids_.count > 0) {
      grids_.height = samples.places()[0].height;
      grids_.width = samples.places()[0].width;
    }
  }
  const kernels::Grids& grids() const { return grids_; }

 private:
  Buffer<kernels::GridPlace> table_;
  kernels::Grids grids_;
};

/// Calls f(q, i, j, p) for every output row q and element (i, j) of the window whose position is row
/// p of the same sample, in that order.
template <class F>
void for_elements_shown(const GridSamples& in, const GridSamples& out, const kernels::Window& w,
                        F&& f) {
  for (size_t s = 0; s < in.count(); ++s) {
    const kernels::GridPlace from = in.places()[s], to = out.places()[s];
    for (int32_t y = 0; y < to.height; ++y)
      for (int32_t x = 0; x < to.width; ++x)
        for (int32_t i = 0; i < w.height; ++i)
          for (int32_t j = 0; j < w.width; ++j) {
            const int32_t in_y = y * w.stride_y - w.pad_y + i, in_x = x * w.stride_x - w.pad_x + j;
            if (in_y >= 0 && in_y < from.height && in_x >= 0 && in_x < from.width)
              f(to.first_row + int64_t{y} * to.width + x, i, j,
                from.first_row + int64_t{in_y} * from.width + in_x);
          }
  }
}

}  // namespace tessera::testing
