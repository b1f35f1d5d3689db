// The convolutions of the encoders, batch 64: forward, input gradient, weight gradient.
// bench/peers/torch_conv.py reads these cases and measures the same shapes.

#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "bench/bench.h"
#include "bench/gpu.h"
#include "tessera/kernels/conv.h"

namespace tessera::bench {
namespace {

using kernels::GridPlace;
using kernels::Grids;
using kernels::Window;

constexpr int32_t kBatch = 64;
constexpr int32_t kLevels = 4;  // of the pyramid of a series: each half as long as the one before

/// Square grids, or series of `size` steps and their coarser levels.
struct Layer {
  int32_t dimensions, size, channels, outputs, length, stride, pad;

  Window window() const {
    return dimensions == 2 ? Window{length, length, stride, stride, pad, pad}
                           : Window{1, length, 1, stride, 0, pad};
  }
  std::string name() const {
    return fmt::format("{}d/k{}s{}p{}/{}x{}to{}", dimensions, length, stride, pad, size, channels,
                       outputs);
  }
};

/// Samples before and after the layer's window.
struct Batch {
  std::vector<GridPlace> in_places, out_places;
  Buffer<GridPlace> in_there, out_there;
  Grids in, out;

  Batch(const Layer& layer, Device device) {
    const Window w = layer.window();
    const int32_t levels = layer.dimensions == 1 ? kLevels : 1;
    for (int32_t level = 0; level < levels; ++level)
      for (int32_t i = 0; i < kBatch; ++i) {
        const int32_t width = layer.size >> level, height = layer.dimensions == 1 ? 1 : width;
        add(in_places, in, height, width);
        add(out_places, out, kernels::positions_after(height, w.height, w.stride_y, w.pad_y),
            kernels::positions_after(width, w.width, w.stride_x, w.pad_x));
      }
    in_there = Buffer<GridPlace>::from_host(in_places, device);
    out_there = Buffer<GridPlace>::from_host(out_places, device);
    in.places = in_there.data();
    out.places = out_there.data();
    in.count = static_cast<int32_t>(in_places.size());
    out.count = static_cast<int32_t>(out_places.size());
  }
  static void add(std::vector<GridPlace>& places, Grids& grids, int32_t height, int32_t width) {
    places.push_back({grids.rows, height, width});
    grids.rows += int64_t{height} * width;
  }
};

enum class Pass { Forward, InputGrad, WeightGrad };

struct Operands {
  Device device;
  Layer layer;
  Batch batch;
  int64_t depth;
  std::vector<float> x, y, weight;
  Buffer<float> x_there, y_there, weight_there, to;

  Operands(const Layer& l, Pass pass, Device device)
      : device(device),
        layer(l),
        batch(l, device),
        depth(int64_t{l.window().height} * l.length * l.channels),
        x(random_values(batch.in.rows * l.channels, 1)),
        y(random_values(batch.out.rows * l.outputs, 2)),
        weight(random_values(l.outputs * depth, 3)),
        x_there(Buffer<float>::from_host(x, device)),
        y_there(Buffer<float>::from_host(y, device)),
        weight_there(Buffer<float>::from_host(weight, device)),
        to(static_cast<int64_t>(pass == Pass::Forward     ? y.size()
                                : pass == Pass::InputGrad ? x.size()
                                                          : weight.size()),
           device) {}

  void run(Pass pass) {
    const int64_t c = layer.channels, o = layer.outputs;
    const MatrixView<const float> from = {x_there.data(), batch.in.rows, c, c},
                                  dy = {y_there.data(), batch.out.rows, o, o},
                                  w = {weight_there.data(), o, depth, depth};
    const Window window = layer.window();
    run_on(device, [&](auto& context) {
      if (pass == Pass::Forward)
        kernels::conv(
            context, {from, batch.in, batch.out, window, w, {to.data(), batch.out.rows, o, o}});
      else if (pass == Pass::InputGrad)
        kernels::conv_input_grad(
            context, {dy, batch.in, batch.out, window, w, {to.data(), batch.in.rows, c, c}});
      else
        kernels::conv_weight_grad(
            context, {from, dy, batch.in, batch.out, window, {to.data(), o, depth, depth}});
    });
  }

  /// Compares <to, direction> with the trilinear form sum dy[q, o] x[p, c] weight[o, (tap, c)], which
  /// is the same number for all three passes.
  std::string check(Pass pass) const {
    const std::vector<float>& direction = pass == Pass::Forward     ? y
                                          : pass == Pass::InputGrad ? x
                                                                    : weight;
    const std::vector<float> result = to.to_host();
    double found = 0, expected = 0, square = 0;
    for (size_t i = 0; i < result.size(); ++i) found += double(result[i]) * double(direction[i]);
    const Window w = layer.window();
    for (int32_t s = 0; s < batch.in.count; ++s) {
      const GridPlace a = batch.in_places[s], b = batch.out_places[s];
      for (int32_t at = 0; at < b.height * b.width; ++at)
        for (int32_t tap = 0; tap < w.height * w.width; ++tap) {
          const int32_t iy = at / b.width * w.stride_y - w.pad_y + tap / w.width;
          const int32_t ix = at % b.width * w.stride_x - w.pad_x + tap % w.width;
          if (iy < 0 || iy >= a.height || ix < 0 || ix >= a.width) continue;
          const float* x_row = &x[(a.first_row + iy * a.width + ix) * layer.channels];
          const float* y_row = &y[(b.first_row + at) * layer.outputs];
          for (int32_t o = 0; o < layer.outputs; ++o) {
            float sum = 0;
            const float* w_row = &weight[o * depth + tap * layer.channels];
            for (int32_t c = 0; c < layer.channels; ++c) sum += x_row[c] * w_row[c];
            expected += double(y_row[o]) * sum;
            square += double(y_row[o]) * sum * y_row[o] * sum;
          }
        }
    }
    if (std::abs(found - expected) <= 1e-4 * std::sqrt(square)) return "";
    return fmt::format("the form is {}, expected {}", found, expected);
  }
};

/// The flop that torch counts: taps beyond the border too.
double flop_of(const Layer& layer) {
  const Window w = layer.window();
  return 2.0 * double(Batch(layer, Device{}).out.rows) * layer.outputs * w.height * w.width * layer.channels;
}

}  // namespace

std::vector<Case> conv_cases() {
  std::vector<Layer> layers = {{2, 64, 1, 32, 7, 2, 3}, {2, 64, 3, 32, 7, 2, 3}};
  const auto blocks = [&](int32_t dimensions, int32_t size) {
    for (int32_t channels = 32; channels < 256; channels *= 2, size /= 2) {
      layers.push_back({dimensions, size, channels, 2 * channels, 3, 2, 1});
      layers.push_back({dimensions, size / 2, 2 * channels, 2 * channels, 3, 1, 1});
      layers.push_back({dimensions, size, channels, 2 * channels, 1, 2, 0});
    }
  };
  blocks(2, 16);
  layers.push_back({1, 256, 24, 32, 7, 2, 3});
  blocks(1, 64);

  constexpr std::pair<const char*, Pass> kPasses[] = {{"forward", Pass::Forward},
                                                      {"input_grad", Pass::InputGrad},
                                                      {"weight_grad", Pass::WeightGrad}};
  std::vector<Case> cases;
  for (const Device device : bench_devices())
    for (const Layer& layer : layers)
      for (const auto& named : kPasses) {
        const Pass pass = named.second;
        Case c;
        c.name = fmt::format("{}/{}/{}", area_on("conv", device), layer.name(), named.first);
        c.repeats = repeats_on(device);
        c.gpu = is_gpu(device);
        c.flop = flop_of(layer);
        c.prepare = [layer, pass, device] {
          const auto operands = std::make_shared<Operands>(layer, pass, device);
          return Work{[operands, pass] { operands->run(pass); },
                      [operands, pass] { return operands->check(pass); }};
        };
        cases.push_back(c);
      }
  return cases;
}

}  // namespace tessera::bench
