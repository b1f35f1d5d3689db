#include "simulate/grid_spectrum.h"

#include <algorithm>

#include "tessera/kernels/portable_math.h"

namespace tessera {
namespace {

/// cos and sin of 2 pi j k / size for j < rows, k < cols, row-major.
struct Turns {
  std::vector<double> cosines, sines;
  Turns(int64_t rows, int64_t cols, int64_t size) {
    for (int64_t j = 0; j < rows; ++j)
      for (int64_t k = 0; k < cols; ++k) {
        const double turns = static_cast<double>(j * k % size) / static_cast<double>(size);
        cosines.push_back(math::portable_cos_turns(turns));
        sines.push_back(math::portable_sin_turns(turns));
      }
  }
};

/// y += factor * x
void add_scaled(double factor, const double* x, double* y, int64_t count) {
  for (int64_t i = 0; i < count; ++i) y[i] += factor * x[i];
}

}  // namespace

std::vector<double> power_spectrum(std::span<const double> grid, int64_t height, int64_t width) {
  const int64_t half = width / 2 + 1;
  // Grids of a data set have one shape, and the tables cost more than the products.
  thread_local int64_t kept_height = 0, kept_width = 0;
  thread_local Turns across(0, 0, 1), down(0, 0, 1);
  if (kept_height != height || kept_width != width) {
    across = Turns(width, half, width);
    down = Turns(height, height, height);
    kept_height = height;
    kept_width = width;
  }
  std::vector<double> re(static_cast<size_t>(height * half)), im(re.size()), power(re.size());
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x) {
      const double value = grid[static_cast<size_t>(y * width + x)];
      add_scaled(value, across.cosines.data() + x * half, re.data() + y * half, half);
      add_scaled(-value, across.sines.data() + x * half, im.data() + y * half, half);
    }
  std::vector<double> row_re(static_cast<size_t>(half)), row_im(row_re.size());
  for (int64_t m = 0; m < height; ++m) {
    std::fill(row_re.begin(), row_re.end(), 0.0);
    std::fill(row_im.begin(), row_im.end(), 0.0);
    for (int64_t y = 0; y < height; ++y) {
      const double c = down.cosines[static_cast<size_t>(m * height + y)];
      const double s = down.sines[static_cast<size_t>(m * height + y)];
      const double *a = re.data() + y * half, *b = im.data() + y * half;
      add_scaled(c, a, row_re.data(), half);
      add_scaled(s, b, row_re.data(), half);
      add_scaled(c, b, row_im.data(), half);
      add_scaled(-s, a, row_im.data(), half);
    }
    for (size_t k = 0; k < row_re.size(); ++k)
      power[static_cast<size_t>(m) * row_re.size() + k] =
          row_re[k] * row_re[k] + row_im[k] * row_im[k];
  }
  return power;
}

}  // namespace tessera
