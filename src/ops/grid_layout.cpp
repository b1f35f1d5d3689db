#include "tessera/grid_layout.h"

#include <algorithm>

#include "tessera/error.h"

namespace tessera::inline TESSERA_PRECISION {

struct GridLayout::Made {
  std::vector<std::pair<kernels::Window, GridLayout>> after;
};

GridLayout GridLayout::uniform(int64_t count, GridSize size, Device device) {
  TESSERA_CHECK(count > 0 && size.height > 0 && size.width > 0, "GridLayout: ", count,
                " samples of ", size.height, " x ", size.width);
  GridLayout layout;
  layout.device_ = device;
  layout.grids_ = {.places = nullptr,
                   .count = static_cast<int32_t>(count),
                   .height = size.height,
                   .width = size.width,
                   .rows = count * size.height * size.width};
  return layout;
}

GridLayout GridLayout::packed(const std::vector<GridSize>& sizes, Device device,
                              Lifetime lifetime) {
  TESSERA_CHECK(!sizes.empty(), "GridLayout: no samples");
  if (std::ranges::all_of(sizes, [&](const GridSize& size) { return size == sizes.front(); }))
    return uniform(static_cast<int64_t>(sizes.size()), sizes.front(), device);
  GridLayout layout;
  layout.device_ = device;
  layout.lifetime_ = lifetime;
  layout.sizes_ = sizes;
  std::vector<kernels::GridPlace> places;
  for (const GridSize& size : sizes) {
    TESSERA_CHECK(size.height > 0 && size.width > 0, "GridLayout: sample ", places.size(), " is ",
                  size.height, " x ", size.width);
    places.push_back({layout.grids_.rows, size.height, size.width});
    layout.grids_.rows += int64_t{size.height} * size.width;
  }
  layout.grids_.count = static_cast<int32_t>(sizes.size());
  layout.places_ = Buffer<kernels::GridPlace>::from_host(places, device, lifetime);
  layout.made_ = std::make_shared<Made>();
  return layout;
}

GridLayout GridLayout::series(std::span<const int32_t> lengths, Device device) {
  std::vector<GridSize> sizes;
  for (const int32_t length : lengths) sizes.push_back({1, length});
  return packed(sizes, device);
}

kernels::Grids GridLayout::view() const {
  kernels::Grids grids = grids_;
  if (!sizes_.empty()) grids.places = places_.data();
  return grids;
}

GridLayout GridLayout::after(const kernels::Window& window) const {
  const auto next = [&](GridSize size) {
    const GridSize result = {
        kernels::positions_after(size.height, window.height, window.stride_y, window.pad_y),
        kernels::positions_after(size.width, window.width, window.stride_x, window.pad_x)};
    TESSERA_CHECK(size.height + 2 * window.pad_y >= window.height &&
                      size.width + 2 * window.pad_x >= window.width,
                  "GridLayout: a window of ", window.height, " x ", window.width,
                  " does not fit a grid of ", size.height, " x ", size.width);
    return result;
  };
  if (is_uniform()) return uniform(count(), next({grids_.height, grids_.width}), device_);
  for (const auto& [made_by, layout] : made_->after)
    if (made_by == window) return layout;
  std::vector<GridSize> sizes;
  for (const GridSize& size : sizes_) sizes.push_back(next(size));
  if (sizes == sizes_) return *this;  // nothing to copy to the device
  const GridLayout layout = packed(sizes, device_, lifetime_);
  // Step memory may not outlive its step in a layout that does.
  if (layout.is_uniform() || layout.places_.is_persistent() || !places_.is_persistent())
    made_->after.emplace_back(window, layout);
  return layout;
}

}  // namespace tessera::inline TESSERA_PRECISION
