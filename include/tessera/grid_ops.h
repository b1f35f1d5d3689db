#pragma once

#include <vector>

#include "tessera/grid_layout.h"
#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {

using kernels::Window;

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

/// Series shortened by means over bins: level l brings a series of T steps to
/// max(shortest, floor(T / factors[l])) steps, at most T (kernels/grid_pool.h, SeriesMean).
/// All samples of level 0, then all of level 1, and so on.
/// `x` is a constant. Throws Error where it is recorded.
GridVar series_pyramid(const GridVar& x, const std::vector<int64_t>& factors, int64_t shortest);

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
  Buffer<int32_t> columns_, first_, places_;  // as kernels/gather_columns.h
};

/// y[n, t] = x[n, columns[t]]; differentiable: columns that are not taken get 0.
/// Throws Error if x is not as wide as the selection expects.
Var take_columns(const Var& x, const ColumnSelection& selection);

/// Rows [first, first + count) of x; differentiable.
Var slice_rows(const Var& x, int64_t first, int64_t count);

}  // namespace tessera::inline TESSERA_PRECISION
