#include "tessera/kernels/elementwise.h"

#include "core/context.h"
#include "tessera/ops.h"
#include "tessera/training_state.h"

namespace tessera::inline TESSERA_PRECISION {

Var activation(UnaryOp op, const Var& x) {
  if (op == UnaryOp::Identity) return x;
  Tensor y = Tensor::empty(x.rows(), x.cols(), x.device());
  on_device(x.device(), [&](auto& context) {
    kernels::unary(context, {.op = op, .x = x.value().flat(), .y = y.mutable_flat()});
  });
  return record("activation", y, {x.ref()}, [op, x, y](const Tensor& dy, Gradients grad) {
    const GradSlot dx = grad.over(x.ref(), dy);
    on_device(dy.device(), [&](auto& context) {
      kernels::unary_grad(context, {.op = op,
                                    .x = x.value().flat(),
                                    .y = y.flat(),
                                    .dy = dy.flat(),
                                    .dx = dx.tensor->mutable_flat(),
                                    .beta = dx.beta});
    });
  });
}

namespace {
void scale_add(const Tensor& x, Tensor& y, real alpha, real beta) {
  on_device(x.device(), [&](auto& context) {
    kernels::scale_add(context,
                       {.x = x.flat(), .y = y.mutable_flat(), .alpha = alpha, .beta = beta});
  });
}
}  // namespace

Var add(const Var& a, const Var& b, real alpha, real beta) {
  TESSERA_CHECK(a.rows() == b.rows() && a.cols() == b.cols(), "add: [", a.rows(), ", ", a.cols(),
                "] and [", b.rows(), ", ", b.cols(), "]; shapes must be equal");
  Tensor y = Tensor::empty(a.rows(), a.cols(), a.device());
  scale_add(a.value(), y, alpha, 0);
  scale_add(b.value(), y, beta, 1);
  return record("add", y, {a.ref(), b.ref()},
                [a = a.ref(), b = b.ref(), alpha, beta](const Tensor& dy, Gradients grad) {
                  if (GradSlot da = grad.whole(a)) scale_add(dy, *da.tensor, alpha, da.beta);
                  if (GradSlot db = grad.whole(b)) scale_add(dy, *db.tensor, beta, db.beta);
                });
}

Var dropout(const Var& x, const TrainingState& state, uint32_t stream, real rate) {
  TESSERA_CHECK(rate >= 0 && rate < 1, "dropout: rate ", rate, " is not in [0, 1)");
  Tensor y = Tensor::empty(x.rows(), x.cols(), x.device());
  const auto run = [state = state.get(), stream, rate](const Tensor& from, Tensor& to, real beta) {
    on_device(from.device(), [&](auto& context) {
      kernels::dropout(context, {.x = from.flat(),
                                 .y = to.mutable_flat(),
                                 .state = state,
                                 .stream = stream,
                                 .rate = rate,
                                 .beta = beta});
    });
  };
  run(x.value(), y, 0);
  return record("dropout", y, {x.ref()}, [x = x.ref(), run](const Tensor& dy, Gradients grad) {
    const GradSlot dx = grad.over(x, dy);
    run(dy, *dx.tensor, dx.beta);
  });
}

Var relu_dropout_in_place(const Var& x, const TrainingState* state, uint32_t stream, real rate) {
  TESSERA_CHECK(rate >= 0 && rate < 1, "relu_dropout_in_place: rate ", rate, " is not in [0, 1)");
  const bool drops = state != nullptr && rate > 0;
  Tensor y = x.value();
  on_device(x.device(), [&](auto& context) {
    kernels::unary(context, {.op = UnaryOp::Relu, .x = y.flat(), .y = y.mutable_flat()});
    if (drops)
      kernels::dropout(context, {.x = y.flat(),
                                 .y = y.mutable_flat(),
                                 .state = state->get(),
                                 .stream = stream,
                                 .rate = rate});
  });
  // What is left above 0 was kept and positive: its sign says all, and nothing is drawn again.
  const real scale = drops ? 1 / (1 - rate) : real(1);
  return record("relu_dropout", y, {x.ref()},
                [y, scale, x = x.ref()](const Tensor& dy, Gradients grad) {
                  const GradSlot dx = grad.over(x, dy);
                  on_device(dy.device(), [&](auto& context) {
                    kernels::unary_grad(context, {.op = UnaryOp::Relu,
                                                  .x = y.flat(),
                                                  .y = y.flat(),
                                                  .dy = dy.flat(),
                                                  .dx = dx.tensor->mutable_flat(),
                                                  .beta = dx.beta,
                                                  .scale = scale});
                  });
                });
}

Var add_relu_in_place(const Var& a, const Var& b) {
  TESSERA_CHECK(a.rows() == b.rows() && a.cols() == b.cols(), "add_relu_in_place: [", a.rows(),
                ", ", a.cols(), "] and [", b.rows(), ", ", b.cols(), "]; shapes must be equal");
  Tensor y = a.value();
  scale_add(b.value(), y, 1, 1);
  on_device(y.device(), [&](auto& context) {
    kernels::unary(context, {.op = UnaryOp::Relu, .x = y.flat(), .y = y.mutable_flat()});
  });
  return record("add_relu", y, {a.ref(), b.ref()},
                [y, a = a.ref(), b = b.ref()](const Tensor& dy, Gradients grad) {
                  const auto contribute = [&](const GradSlot& slot) {
                    if (!slot) return;
                    on_device(dy.device(), [&](auto& context) {
                      kernels::unary_grad(context, {.op = UnaryOp::Relu,
                                                    .x = y.flat(),
                                                    .y = y.flat(),
                                                    .dy = dy.flat(),
                                                    .dx = slot.tensor->mutable_flat(),
                                                    .beta = slot.beta});
                    });
                  };
                  contribute(grad.whole(b));
                  contribute(grad.over(a, dy));
                });
}

}  // namespace tessera::inline TESSERA_PRECISION
