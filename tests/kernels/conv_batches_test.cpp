// Convolutions of batches that the other tests of conv have not: more samples than a block has threads,
// none at all, windows that skip whole phases of a stride.

#include "kernels/grid_samples.h"
#include "tessera/kernels/conv.h"
#include "testing/backends.h"
#include "testing/guarded.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::DeviceGrids;
using testing::GridSamples;
using testing::Guarded;

struct ConvBatch {
  std::vector<testing::GridSize> sizes;
  Window window;
  bool is_uniform = false;
  int64_t channels = 5, outputs = 7;
};

/// 600 samples of 1 to 4 positions by 1 to 5: some phases have none of a sample's positions.
std::vector<testing::GridSize> many_sizes() {
  std::vector<testing::GridSize> sizes;
  for (int32_t s = 0; s < 600; ++s) sizes.push_back({1 + s % 4, 1 + s * s % 5});
  return sizes;
}

const std::vector<ConvBatch>& batches() {
  static const std::vector<ConvBatch> all = {
      {many_sizes(),
       {.height = 3, .width = 3, .stride_y = 2, .stride_x = 3, .pad_y = 1, .pad_x = 1},
       false,
       3,
       4},
      {std::vector<testing::GridSize>(600, {1, 3}), {.width = 3, .stride_x = 2, .pad_x = 1}, true},
      {{{1, 40}, {1, 65}}, {.width = 2, .stride_x = 5}, false, 66, 3},  // three phases show nothing
      {{}, {.width = 3, .pad_x = 1}, false},
      {{}, {.width = 3, .stride_x = 2, .pad_x = 1}, true},
  };
  return all;
}

class ConvBatchTest : public testing::BackendTest {};
TESSERA_FOR_EACH_BACKEND(ConvBatchTest);

/// Chains of at most 600 * 20 terms of magnitude 1.
constexpr double kBatchTolerance = 2e-5;

TEST_P(ConvBatchTest, ForwardMatchesTheDefinition) {
  for (const ConvBatch& b : batches()) {
    const GridSamples in(b.sizes), out = in.after(b.window);
    const DeviceGrids in_grids(in, b.is_uniform, device()), out_grids(out, b.is_uniform, device());
    const int64_t depth = b.window.height * b.window.width * b.channels;
    const auto x = testing::uniform<float>(in.rows() * b.channels, 1),
               weight = testing::uniform<float>(b.outputs * depth, 2);
    Guarded<float> x_in(x, in.rows(), b.channels, device()),
        w_in(weight, b.outputs, depth, device()),
        y = Guarded<float>::out(out.rows(), b.outputs, device());
    run([&](auto& context) {
      conv(context, {.x = x_in.matrix_view(),
                     .in = in_grids.grids(),
                     .out = out_grids.grids(),
                     .window = b.window,
                     .weight = w_in.matrix_view(),
                     .y = y.matrix()});
    });
    std::vector<double> expected(size_t(out.rows() * b.outputs));
    testing::for_elements_shown(in, out, b.window, [&](int64_t q, int i, int j, int64_t p) {
      const int64_t tap = (int64_t{i} * b.window.width + j) * b.channels;
      for (int64_t o = 0; o < b.outputs; ++o)
        for (int64_t c = 0; c < b.channels; ++c)
          expected[size_t(q * b.outputs + o)] +=
              double(x[size_t(p * b.channels + c)]) * double(weight[size_t(o * depth + tap + c)]);
    });
    testing::expect_close(y.values(), expected, kBatchTolerance);
  }
}

TEST_P(ConvBatchTest, InputGradientMatchesTheDefinition) {
  for (const ConvBatch& b : batches())
    for (const float beta : {0.0f, 0.5f}) {
      const GridSamples in(b.sizes), out = in.after(b.window);
      const DeviceGrids in_grids(in, b.is_uniform, device()),
          out_grids(out, b.is_uniform, device());
      const int64_t depth = b.window.height * b.window.width * b.channels;
      const auto dy = testing::uniform<float>(out.rows() * b.outputs, 1),
                 weight = testing::uniform<float>(b.outputs * depth, 2),
                 before = testing::old_values(in.rows() * b.channels, beta);
      Guarded<float> dy_in(dy, out.rows(), b.outputs, device()),
          w_in(weight, b.outputs, depth, device()), dx(before, in.rows(), b.channels, device());
      run([&](auto& context) {
        conv_input_grad(context, {.dy = dy_in.matrix_view(),
                                  .in = in_grids.grids(),
                                  .out = out_grids.grids(),
                                  .window = b.window,
                                  .weight = w_in.matrix_view(),
                                  .dx = dx.matrix(),
                                  .beta = beta});
      });
      std::vector<double> expected(before.size());
      for (size_t e = 0; e < before.size(); ++e)
        expected[e] = beta == 0 ? 0 : double(beta) * double(before[e]);
      testing::for_elements_shown(in, out, b.window, [&](int64_t q, int i, int j, int64_t p) {
        const int64_t tap = (int64_t{i} * b.window.width + j) * b.channels;
        for (int64_t o = 0; o < b.outputs; ++o)
          for (int64_t c = 0; c < b.channels; ++c)
            expected[size_t(p * b.channels + c)] +=
                double(dy[size_t(q * b.outputs + o)]) * double(weight[size_t(o * depth + tap + c)]);
      });
      testing::expect_close(dx.values(), expected, kBatchTolerance);
    }
}

TEST_P(ConvBatchTest, WeightGradientMatchesTheDefinition) {
  for (const ConvBatch& b : batches())
    for (const float beta : {0.0f, 0.5f}) {
      const GridSamples in(b.sizes), out = in.after(b.window);
      const DeviceGrids in_grids(in, b.is_uniform, device()),
          out_grids(out, b.is_uniform, device());
      const int64_t depth = b.window.height * b.window.width * b.channels;
      const auto x = testing::uniform<float>(in.rows() * b.channels, 1),
                 dy = testing::uniform<float>(out.rows() * b.outputs, 2),
                 before = testing::old_values(b.outputs * depth, beta);
      Guarded<float> x_in(x, in.rows(), b.channels, device()),
          dy_in(dy, out.rows(), b.outputs, device()), dw(before, b.outputs, depth, device());
      run([&](auto& context) {
        conv_weight_grad(context, {.x = x_in.matrix_view(),
                                   .dy = dy_in.matrix_view(),
                                   .in = in_grids.grids(),
                                   .out = out_grids.grids(),
                                   .window = b.window,
                                   .dweight = dw.matrix(),
                                   .beta = beta});
      });
      std::vector<double> expected(before.size());
      for (size_t e = 0; e < before.size(); ++e)
        expected[e] = beta == 0 ? 0 : double(beta) * double(before[e]);
      testing::for_elements_shown(in, out, b.window, [&](int64_t q, int i, int j, int64_t p) {
        const int64_t tap = (int64_t{i} * b.window.width + j) * b.channels;
        for (int64_t o = 0; o < b.outputs; ++o)
          for (int64_t c = 0; c < b.channels; ++c)
            expected[size_t(o * depth + tap + c)] +=
                double(dy[size_t(q * b.outputs + o)]) * double(x[size_t(p * b.channels + c)]);
      });
      testing::expect_close(dw.values(), expected, kBatchTolerance);
    }
}

}  // namespace
}  // namespace tessera::kernels
