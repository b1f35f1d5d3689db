#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "tessera/kernels/conv.h"
#include "testing/numbers.h"

namespace tessera::testing {

/// A convolution, and what its definition gives in binary64.
struct ConvCase {
  std::vector<kernels::GridPlace> in;
  int64_t channels, outputs;
  kernels::Window window;
  bool has_table = true;  // of places; else all samples have one size

  static ConvCase ragged(const std::vector<std::pair<int32_t, int32_t>>& sizes, int64_t channels,
                         int64_t outputs, kernels::Window window) {
    ConvCase c = {{}, channels, outputs, window};
    int64_t row = 0;
    for (const auto& size : sizes) {
      c.in.push_back({row, size.first, size.second});
      row += int64_t{size.first} * size.second;
    }
    return c;
  }
  static ConvCase uniform(size_t count, int32_t height, int32_t width, int64_t channels,
                          int64_t outputs, kernels::Window window) {
    ConvCase c = ragged({count, {height, width}}, channels, outputs, window);
    c.has_table = false;
    return c;
  }
  ConvCase only(size_t sample) const {
    ConvCase c = *this;
    c.in = {{0, in[sample].height, in[sample].width}};
    return c;
  }

  std::vector<kernels::GridPlace> out() const {
    std::vector<kernels::GridPlace> places;
    int64_t row = 0;
    for (const kernels::GridPlace& p : in) {
      using kernels::positions_after;
      places.push_back({row,
                        positions_after(p.height, window.height, window.stride_y, window.pad_y),
                        positions_after(p.width, window.width, window.stride_x, window.pad_x)});
      row += int64_t{places.back().height} * places.back().width;
    }
    return places;
  }
  static int64_t rows_of(const std::vector<kernels::GridPlace>& places) {
    const kernels::GridPlace& last = places.back();
    return last.first_row + int64_t{last.height} * last.width;
  }
  int64_t in_rows() const { return rows_of(in); }
  int64_t out_rows() const { return rows_of(out()); }
  int64_t depth() const { return channels * window.height * window.width; }
  std::vector<float> x() const { return testing::uniform<float>(in_rows() * channels, 1); }
  std::vector<float> dy() const { return testing::uniform<float>(out_rows() * outputs, 2); }
  std::vector<float> weight() const { return testing::uniform<float>(outputs * depth(), 3); }
  /// Of a sum of this many terms in [-1, 1].
  double magnitude() const {
    return std::sqrt(
        double(std::max({depth(), outputs * window.height * window.width, out_rows()})));
  }
  std::string name() const {
    return std::to_string(in.size()) + " samples of " + std::to_string(in[0].height) + " x " +
           std::to_string(in[0].width) + " x " + std::to_string(channels) + " to " +
           std::to_string(outputs) + ", window " + std::to_string(window.height) + " x " +
           std::to_string(window.width) + " by " + std::to_string(window.stride_x);
  }

  /// Calls f(output row, input row, tap) for every pair that the window joins.
  template <class F>
  void for_pairs(F&& f) const {
    const std::vector<kernels::GridPlace> to = out();
    for (size_t s = 0; s < in.size(); ++s)
      for (int32_t y = 0; y < to[s].height; ++y)
        for (int32_t x = 0; x < to[s].width; ++x)
          for (int32_t i = 0; i < window.height; ++i)
            for (int32_t j = 0; j < window.width; ++j) {
              const int32_t at_y = y * window.stride_y - window.pad_y + i;
              const int32_t at_x = x * window.stride_x - window.pad_x + j;
              if (at_y < 0 || at_y >= in[s].height || at_x < 0 || at_x >= in[s].width) continue;
              f(to[s].first_row + int64_t{y} * to[s].width + x,
                in[s].first_row + int64_t{at_y} * in[s].width + at_x, i * window.width + j);
            }
  }
  std::vector<double> expected_forward() const {
    const auto from = x(), w = weight();
    std::vector<double> y(static_cast<size_t>(out_rows() * outputs));
    for_pairs([&](int64_t q, int64_t p, int64_t tap) {
      for (int64_t o = 0; o < outputs; ++o)
        for (int64_t c = 0; c < channels; ++c)
          y[q * outputs + o] +=
              double(from[p * channels + c]) * double(w[o * depth() + tap * channels + c]);
    });
    return y;
  }
  std::vector<double> expected_input_grad(float beta) const {
    const auto from = dy(), w = weight(), old = old_values(in_rows() * channels, beta);
    std::vector<double> dx(old.size());
    if (beta != 0) dx.assign(old.begin(), old.end());
    for_pairs([&](int64_t q, int64_t p, int64_t tap) {
      for (int64_t o = 0; o < outputs; ++o)
        for (int64_t c = 0; c < channels; ++c)
          dx[p * channels + c] +=
              double(from[q * outputs + o]) * double(w[o * depth() + tap * channels + c]);
    });
    return dx;
  }
  std::vector<double> expected_weight_grad(float beta) const {
    const auto from = x(), upstream = dy(), old = old_values(outputs * depth(), beta);
    std::vector<double> dw(old.size());
    if (beta != 0) dw.assign(old.begin(), old.end());
    for_pairs([&](int64_t q, int64_t p, int64_t tap) {
      for (int64_t o = 0; o < outputs; ++o)
        for (int64_t c = 0; c < channels; ++c)
          dw[o * depth() + tap * channels + c] +=
              double(upstream[q * outputs + o]) * double(from[p * channels + c]);
    });
    return dw;
  }
};

/// Every window and stride of the encoders over grids and series, borders that cut all taps but one,
/// and windows that skip positions.
inline std::vector<ConvCase> conv_cases() {
  using kernels::Window;
  const auto square = [](int32_t size, int32_t stride, int32_t pad) {
    return Window{size, size, stride, stride, pad, pad};
  };
  const auto line = [](int32_t size, int32_t stride, int32_t pad) {
    return Window{1, size, 1, stride, 0, pad};
  };
  return {
      ConvCase::uniform(3, 12, 10, 1, 5, square(7, 2, 3)),
      ConvCase::uniform(2, 9, 13, 3, 33, square(7, 2, 3)),
      ConvCase::uniform(5, 4, 4, 24, 20, square(3, 2, 1)),
      ConvCase::uniform(9, 2, 2, 24, 17, square(3, 1, 1)),
      ConvCase::uniform(3, 5, 4, 3, 4, square(3, 1, 1)),
      ConvCase::uniform(3, 5, 4, 24, 40, square(1, 2, 0)),
      ConvCase::uniform(2, 6, 7, 2, 3, {3, 2, 1, 3, 1, 0}),
      ConvCase::ragged({{4, 4}, {1, 1}, {3, 7}, {5, 2}}, 3, 6, square(3, 2, 1)),
      ConvCase::ragged({{1, 1}, {6, 5}, {2, 5}}, 24, 9, square(3, 1, 1)),
      ConvCase::ragged({{1, 32}, {1, 1}, {1, 16}, {1, 2}, {1, 7}}, 24, 32, line(7, 2, 3)),
      ConvCase::ragged({{1, 9}, {1, 1}, {1, 4}}, 3, 8, line(3, 1, 1)),
      ConvCase::ragged({{1, 9}, {1, 1}, {1, 4}}, 24, 48, line(3, 2, 1)),
      ConvCase::ragged({{1, 5}, {1, 1}}, 1, 1, line(1, 2, 0)),
  };
}

}  // namespace tessera::testing
