#include "tessera/kernels/conv.h"

#include <algorithm>

#include "testing/backends.h"
#include "testing/conv_cases.h"
#include "testing/determinism.h"
#include "testing/guarded.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::ConvCase;
using testing::Guarded;

class ConvTest : public testing::BackendTest {
 protected:
  std::vector<float> forward(const ConvCase& c, const std::vector<float>& x) {
    Guarded<float> x_in(x, c.in_rows(), c.channels, device());
    Guarded<float> weight(c.weight(), c.outputs, c.depth(), device());
    Guarded<float> y = Guarded<float>::out(c.out_rows(), c.outputs, device());
    Guarded<GridPlace> in(c.in, device()), out(c.out(), device());
    run([&](auto& context) {
      conv(context, {.x = x_in.matrix_view(),
                     .in = grids(c, in, c.in_rows()),
                     .out = grids(c, out, c.out_rows()),
                     .window = c.window,
                     .weight = weight.matrix_view(),
                     .y = y.matrix()});
    });
    return y.values();
  }
  std::vector<float> input_grad(const ConvCase& c, const std::vector<float>& dy, float beta) {
    Guarded<float> dy_in(dy, c.out_rows(), c.outputs, device());
    Guarded<float> weight(c.weight(), c.outputs, c.depth(), device());
    Guarded<float> dx(testing::old_values(c.in_rows() * c.channels, beta), c.in_rows(), c.channels,
                      device());
    Guarded<GridPlace> in(c.in, device()), out(c.out(), device());
    run([&](auto& context) {
      conv_input_grad(context, {.dy = dy_in.matrix_view(),
                                .in = grids(c, in, c.in_rows()),
                                .out = grids(c, out, c.out_rows()),
                                .window = c.window,
                                .weight = weight.matrix_view(),
                                .dx = dx.matrix(),
                                .beta = beta});
    });
    return dx.values();
  }
  std::vector<float> weight_grad(const ConvCase& c, const std::vector<float>& x,
                                 const std::vector<float>& dy, float beta) {
    Guarded<float> x_in(x, c.in_rows(), c.channels, device());
    Guarded<float> dy_in(dy, c.out_rows(), c.outputs, device());
    Guarded<float> dweight(testing::old_values(c.outputs * c.depth(), beta), c.outputs, c.depth(),
                           device());
    Guarded<GridPlace> in(c.in, device()), out(c.out(), device());
    run([&](auto& context) {
      conv_weight_grad(context, {.x = x_in.matrix_view(),
                                 .dy = dy_in.matrix_view(),
                                 .in = grids(c, in, c.in_rows()),
                                 .out = grids(c, out, c.out_rows()),
                                 .window = c.window,
                                 .dweight = dweight.matrix(),
                                 .beta = beta});
    });
    return dweight.values();
  }

 private:
  /// The samples as a table, or by their one size.
  static Grids grids(const ConvCase& c, const Guarded<GridPlace>& table, int64_t rows) {
    const auto count = static_cast<int32_t>(c.in.size());
    if (c.has_table) return {table.view().data, count, 0, 0, rows};
    const GridPlace size = table.values().front();
    return {nullptr, count, size.height, size.width, rows};
  }
};
TESSERA_FOR_EACH_BACKEND(ConvTest);

// Sums of at most a few thousand terms of magnitude 1: far below 1e-6 of their root mean square each.
constexpr double kTolerance = 4e-6;

TEST_P(ConvTest, ForwardMatchesTheDefinition) {
  for (const ConvCase& c : testing::conv_cases()) {
    SCOPED_TRACE(c.name());
    testing::expect_close(forward(c, c.x()), c.expected_forward(), kTolerance, c.magnitude());
  }
}

TEST_P(ConvTest, InputGradientMatchesTheDefinition) {
  for (const ConvCase& c : testing::conv_cases())
    for (const float beta : {0.0f, 1.0f}) {
      SCOPED_TRACE(c.name());
      testing::expect_close(input_grad(c, c.dy(), beta), c.expected_input_grad(beta), kTolerance,
                            c.magnitude());
    }
}

TEST_P(ConvTest, WeightGradientMatchesTheDefinition) {
  for (const ConvCase& c : testing::conv_cases())
    for (const float beta : {0.0f, 1.0f}) {
      SCOPED_TRACE(c.name());
      testing::expect_close(weight_grad(c, c.x(), c.dy(), beta), c.expected_weight_grad(beta),
                            kTolerance, c.magnitude());
    }
}

TEST_P(ConvTest, ASampleHasTheSameBitsAloneAndInABatch) {
  for (const ConvCase& c : testing::conv_cases()) {
    SCOPED_TRACE(c.name());
    const auto x = c.x(), dy = c.dy(), y = forward(c, x), dx = input_grad(c, dy, 0);
    for (size_t s = 0; s < c.in.size(); ++s) {
      const ConvCase alone = c.only(s);
      const auto part = [](const std::vector<float>& all, int64_t first, int64_t rows,
                           int64_t cols) {
        return std::vector<float>(all.begin() + first * cols, all.begin() + (first + rows) * cols);
      };
      const int64_t in_first = c.in[s].first_row, out_first = c.out()[s].first_row;
      testing::expect_same_bits(forward(alone, part(x, in_first, alone.in_rows(), c.channels)),
                                part(y, out_first, alone.out_rows(), c.outputs));
      testing::expect_same_bits(
          input_grad(alone, part(dy, out_first, alone.out_rows(), c.outputs), 0),
          part(dx, in_first, alone.in_rows(), c.channels));
    }
  }
}

TEST_P(ConvTest, ASecondRunHasTheSameBits) {
  for (const ConvCase& c : testing::conv_cases()) {
    SCOPED_TRACE(c.name());
    testing::expect_same_bits(weight_grad(c, c.x(), c.dy(), 0), weight_grad(c, c.x(), c.dy(), 0));
  }
}

/// Several chunks of rows, panels of columns, and a sample larger than a chunk.
std::vector<ConvCase> large_cases() {
  return {
      ConvCase::uniform(
          3, 40, 40, 3, 50,
          {.height = 3, .width = 3, .stride_y = 2, .stride_x = 2, .pad_y = 1, .pad_x = 1}),
      ConvCase::uniform(1, 1, 5000, 2, 20, {.width = 3, .pad_x = 1}),
      ConvCase::uniform(70, 2, 2, 40, 70, {.height = 3, .width = 3, .pad_y = 1, .pad_x = 1}),
  };
}

TEST(ConvCpuTest, HasTheSameBitsForAnyThreadsAndInstructions) {
  for (const ConvCase& c : large_cases()) {
    SCOPED_TRACE(c.name());
    const auto x = c.x(), dy = c.dy(), weight = c.weight();
    const std::vector<GridPlace> out = c.out();
    const auto count = static_cast<int32_t>(c.in.size());
    const Grids from = {c.in.data(), count, 0, 0, c.in_rows()};
    const Grids to = {out.data(), count, 0, 0, c.out_rows()};
    const MatrixView<const float> x_view = {x.data(), c.in_rows(), c.channels, c.channels};
    const MatrixView<const float> dy_view = {dy.data(), c.out_rows(), c.outputs, c.outputs};
    const MatrixView<const float> w_view = {weight.data(), c.outputs, c.depth(), c.depth()};
    testing::expect_same_bits_everywhere([&] {
      std::vector<float> y(dy.size()), dx(x.size()), dw(weight.size());
      conv(cpu_context(),
           {x_view, from, to, c.window, w_view, {y.data(), c.out_rows(), c.outputs, c.outputs}});
      conv_input_grad(
          cpu_context(),
          {dy_view, from, to, c.window, w_view, {dx.data(), c.in_rows(), c.channels, c.channels}});
      conv_weight_grad(
          cpu_context(),
          {x_view, dy_view, from, to, c.window, {dw.data(), c.outputs, c.depth(), c.depth()}});
      for (const auto* part : {&dx, &dw}) y.insert(y.end(), part->begin(), part->end());
      return y;
    });
  }
}

TEST_P(ConvTest, ManyRowsMatchTheDefinition) {
  for (const ConvCase& c : large_cases()) {
    SCOPED_TRACE(c.name());
    testing::expect_close(forward(c, c.x()), c.expected_forward(), kTolerance, c.magnitude());
    testing::expect_close(input_grad(c, c.dy(), 0), c.expected_input_grad(0), kTolerance,
                          c.magnitude());
    testing::expect_close(weight_grad(c, c.x(), c.dy(), 0), c.expected_weight_grad(0), kTolerance,
                          c.magnitude());
  }
}

}  // namespace
}  // namespace tessera::kernels
