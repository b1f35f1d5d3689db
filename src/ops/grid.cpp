#include <algorithm>

#include "core/context.h"
#include "tessera/grid_ops.h"
#include "tessera/kernels/conv.h"
#include "tessera/kernels/grid_pool.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

void check_rows(const char* op, const GridVar& x) {
  TESSERA_CHECK(x.values.rows() == x.layout.rows(), op, ": x has ", x.values.rows(),
                " rows, its layout ", x.layout.rows());
}

MatrixView<int32_t> matrix(Buffer<int32_t>& values, int64_t rows, int64_t cols) {
  return {values.data(), rows, cols, cols};
}
MatrixView<const int32_t> matrix(const Buffer<int32_t>& values, int64_t rows, int64_t cols) {
  return {values.data(), rows, cols, cols};
}

}  // namespace

GridVar conv(const GridVar& x, const Var& weight, const Window& window) {
  check_rows("conv", x);
  const int64_t seen = int64_t{window.height} * window.width * x.values.cols();
  TESSERA_CHECK(weight.cols() == seen, "conv: weight has ", weight.cols(), " columns; a window of ",
                window.height, " x ", window.width, " on ", x.values.cols(), " channels has ",
                seen);
  const GridLayout out = x.layout.after(window);
  Tensor y = Tensor::empty(out.rows(), weight.rows(), x.values.device());
  on_device(y.device(), [&](auto& context) {
    kernels::conv(context, {.x = x.values.value().view(),
                            .in = x.layout.view(),
                            .out = out.view(),
                            .window = window,
                            .weight = weight.value().view(),
                            .y = y.mutable_view()});
  });
  return {record("conv", y, {x.values.ref(), weight.ref()},
                 [x, weight, out, window](const Tensor& dy, Gradients grad) {
                   on_device(dy.device(), [&](auto& context) {
                     if (GradSlot dw = grad.whole(weight.ref()))
                       kernels::conv_weight_grad(context, {.x = x.values.value().view(),
                                                           .dy = dy.view(),
                                                           .in = x.layout.view(),
                                                           .out = out.view(),
                                                           .window = window,
                                                           .dweight = dw->mutable_view(),
                                                           .beta = dw.beta});
                     if (GradSlot dx = grad.whole(x.values.ref()))
                       kernels::conv_input_grad(context, {.dy = dy.view(),
                                                          .in = x.layout.view(),
                                                          .out = out.view(),
                                                          .window = window,
                                                          .weight = weight.value().view(),
                                                          .dx = dx->mutable_view(),
                                                          .beta = dx.beta});
                   });
                 }),
          out};
}

GridVar max_pool(const GridVar& x, const Window& window) {
  check_rows("max_pool", x);
  TESSERA_CHECK(window.pad_y < window.height && window.pad_x < window.width,
                "max_pool: a padding of ", window.pad_y, ", ", window.pad_x, " hides a window of ",
                window.height, " x ", window.width);
  const GridLayout out = x.layout.after(window);
  const int64_t channels = x.values.cols();
  Tensor y = Tensor::empty(out.rows(), channels, x.values.device());
  Buffer<int32_t> source(y.size(), y.device());
  on_device(y.device(), [&](auto& context) {
    kernels::max_pool(context, {.x = x.values.value().view(),
                                .in = x.layout.view(),
                                .out = out.view(),
                                .window = window,
                                .y = y.mutable_view(),
                                .source = matrix(source, y.rows(), channels)});
  });
  return {record("max_pool", y, {x.values.ref()},
                 [source, window, in = x.layout, out, ref = x.values.ref()](const Tensor& dy,
                                                                            Gradients grad) {
                   const GradSlot dx = grad.whole(ref);
                   on_device(dy.device(), [&](auto& context) {
                     kernels::max_pool_grad(context,
                                            {.dy = dy.view(),
                                             .source = matrix(source, dy.rows(), dy.cols()),
                                             .in = in.view(),
                                             .out = out.view(),
                                             .window = window,
                                             .dx = dx.tensor->mutable_view(),
                                             .beta = dx.beta});
                   });
                 }),
          out};
}

Var grid_mean(const GridVar& x) {
  check_rows("grid_mean", x);
  Tensor y = Tensor::empty(x.layout.count(), x.values.cols(), x.values.device());
  on_device(y.device(), [&](auto& context) {
    kernels::grid_mean(
        context, {.x = x.values.value().view(), .in = x.layout.view(), .y = y.mutable_view()});
  });
  return record(
      "grid_mean", y, {x.values.ref()},
      [in = x.layout, ref = x.values.ref()](const Tensor& dy, Gradients grad) {
        const GradSlot dx = grad.whole(ref);
        on_device(dy.device(), [&](auto& context) {
          kernels::grid_mean_grad(
              context,
              {.dy = dy.view(), .in = in.view(), .dx = dx.tensor->mutable_view(), .beta = dx.beta});
        });
      });
}

GridLayout pyramid_layout(const GridLayout& series, const std::vector<int64_t>& factors,
                          int64_t shortest, Lifetime lifetime) {
  TESSERA_CHECK(!factors.empty() && shortest > 0, "pyramid_layout: ", factors.size(), " levels of ",
                shortest, " or more steps");
  std::vector<GridSize> sizes;
  for (const int64_t factor : factors) {
    TESSERA_CHECK(factor > 0, "pyramid_layout: a level is shortened ", factor, " times");
    for (int64_t sample = 0; sample < series.count(); ++sample) {
      const auto [height, steps] = series.size(sample);
      TESSERA_CHECK(height == 1, "pyramid_layout: sample ", sample, " has height ", height);
      const int64_t wanted = std::max(shortest, steps / factor);
      sizes.push_back({1, static_cast<int32_t>(std::min<int64_t>(wanted, steps))});
    }
  }
  return GridLayout::packed(sizes, series.device(), lifetime);
}

GridVar series_pyramid(const GridVar& x, const GridLayout& levels) {
  check_rows("series_pyramid", x);
  TESSERA_CHECK(!x.values.is_recorded(), "series_pyramid: x is recorded; it has no gradient here");
  TESSERA_CHECK(levels.count() % x.layout.count() == 0, "series_pyramid: levels of ",
                levels.count(), " series for ", x.layout.count());
  Tensor y = Tensor::empty(levels.rows(), x.values.cols(), x.values.device());
  on_device(y.device(), [&](auto& context) {
    kernels::series_mean(context, {.x = x.values.value().view(),
                                   .in = x.layout.view(),
                                   .out = levels.view(),
                                   .y = y.mutable_view()});
  });
  return {Var(std::move(y)), levels};
}

}  // namespace tessera::inline TESSERA_PRECISION
