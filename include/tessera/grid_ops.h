#pragma once

#include <memory>
#include <vector>

#include "tessera/grid_layout.h"
#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {

using kernels::Window;
struct ColumnList;  // assignment_ops.h

/// A packed batch of grids or series: [rows of the layout, channels].
struct GridVar {
  Var values;
  GridLayout layout;
};

/// Convolution without a bias (kernels/conv.h).
///
/// x       [rows, channels]
/// weight  [out channels, window height * window width * channels], same device
/// Returns the grids after the window, [rows, out channels]; differentiable in both.
/// Throws Error if sizes differ.
GridVar conv(const GridVar& x, const Var& weight, const Window& window);

/// Largest value in each window (kernels/grid_pool.h); differentiable.
GridVar max_pool(const GridVar& x, const Window& window);

/// Mean over the positions of each sample: [samples, channels]; differentiable.
Var grid_mean(const GridVar& x);

/// The levels of a pyramid: level l has max(shortest, floor(T / factors[l])) of T steps, at most T. All
/// samples of level 0, then all of level 1, and so on.
GridLayout pyramid_layout(const GridLayout& series, const std::vector<int64_t>& factors,
                          int64_t shortest, Lifetime lifetime = Lifetime::Current);

/// Series shortened to these levels by means over bins (kernels/grid_pool.h, SeriesMean).
/// `x` is a constant. Throws Error where it is recorded.
GridVar series_pyramid(const GridVar& x, const GridLayout& levels);
inline GridVar series_pyramid(const GridVar& x, const std::vector<int64_t>& factors,
                              int64_t shortest) {
  return series_pyramid(x, pyramid_layout(x.layout, factors, shortest));
}

/// The parts side by side, [rows, sum of columns]; differentiable in each.
/// Throws Error if rows differ.
Var concatenate_columns(const std::vector<Var>& parts);

/// Which columns of a matrix are taken, in which order; on the device, so made outside a captured step.
class ColumnSelection {
 public:
  ColumnSelection() = default;
  /// `columns` in [0, width), each at most once.
  ColumnSelection(std::vector<int32_t> columns, int64_t width, Device device);
  int64_t width() const { return width_; }
  int64_t size() const { return static_cast<int64_t>(host_.size()); }
  const std::vector<int32_t>& columns() const { return host_; }

 private:
  friend Var take_columns(const Var& x, const ColumnSelection& selection);
  std::vector<int32_t> host_;
  int64_t width_ = 0;
  std::shared_ptr<const ColumnList> list_;
};

/// y[n, t] = x[n, columns[t]]; differentiable: columns that are not taken get 0.
/// Throws Error if x is not as wide as the selection expects.
Var take_columns(const Var& x, const ColumnSelection& selection);

/// Rows [first, first + count) of x; differentiable.
Var slice_rows(const Var& x, int64_t first, int64_t count);

}  // namespace tessera::inline TESSERA_PRECISION
