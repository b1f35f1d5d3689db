#pragma once

#include <memory>
#include <vector>

#include "tessera/buffer.h"
#include "tessera/kernels/grids.h"

namespace tessera::inline TESSERA_PRECISION {

struct GridSize {
  int32_t height = 1, width = 0;
  bool operator==(const GridSize&) const = default;
};

/// Sizes of the samples of a packed batch of grids (kernels/grids.h), and where each begins. Copies share
/// the memory, so backward closures keep it for free.
class GridLayout {
 public:
  GridLayout() = default;
  /// `count` samples of one size. Makes nothing on the device, so a captured step may ask for it.
  static GridLayout uniform(int64_t count, GridSize size, Device device);
  /// Samples of their own sizes, each at least 1 x 1. Copies to the device unless all are equal, so not
  /// inside a captured step; but a persistent one, and what after() once made of it, may be used there.
  static GridLayout packed(const std::vector<GridSize>& sizes, Device device,
                           Lifetime lifetime = Lifetime::Current);
  /// Series of these lengths.
  static GridLayout series(std::span<const int32_t> lengths, Device device);

  int64_t count() const { return grids_.count; }
  int64_t rows() const { return grids_.rows; }
  GridSize size(int64_t sample) const {
    return sizes_.empty() ? GridSize{grids_.height, grids_.width}
                          : sizes_[static_cast<size_t>(sample)];
  }
  bool is_uniform() const { return sizes_.empty(); }
  Device device() const { return device_; }
  kernels::Grids view() const;

  /// The samples after a window (kernels::positions_after). Made once for each window.
  /// Throws Error (Internal) where one has no position left.
  GridLayout after(const kernels::Window& window) const;

 private:
  struct Made;
  Device device_;
  Lifetime lifetime_ = Lifetime::Current;
  kernels::Grids grids_;         // its places are those of places_
  std::vector<GridSize> sizes_;  // empty: all alike
  Buffer<kernels::GridPlace> places_;
  std::shared_ptr<Made> made_;  // layouts after windows; null where all samples are alike
};

}  // namespace tessera::inline TESSERA_PRECISION
