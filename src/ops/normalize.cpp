#include "tessera/kernels/normalize.h"

#include "core/context.h"
#include "tessera/kernels/elementwise.h"
#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

void check_widths(const char* op, const Var& x, const Var& gain, const Var& shift) {
  TESSERA_CHECK(x.cols() == gain.value().size() && x.cols() == shift.value().size(), op, ": x has ",
                x.cols(), " columns, gain ", gain.value().size(), " and shift ",
                shift.value().size());
  TESSERA_CHECK(gain.is_recorded() == shift.is_recorded(), op,
                ": gain and shift are trained together or not at all");
}

void zero(Tensor& gradient) {
  on_device(gradient.device(), [&](auto& context) {
    kernels::fill(context, {.y = gradient.mutable_flat(), .value = 0});
  });
}

/// Runs `kernel` (LayerNormGrad or BatchNormGrad, its inputs filled in) into the wanted gradients.
template <class Args, class Kernel>
void into_gradients(Args args, const Var& x, const Var& gain, const Var& shift, Gradients grad,
                    Kernel kernel) {
  if (GradSlot dx = grad.whole(x.ref())) {
    args.dx = dx->mutable_view();
    args.beta_x = dx.beta;
  }
  if (GradSlot dgain = grad.whole(gain.ref())) {
    GradSlot dshift = grad.whole(shift.ref());
    if (dgain.beta != dshift.beta) {  // one has been used elsewhere: the other starts at 0
      zero(dgain.beta == 0 ? *dgain.tensor : *dshift.tensor);
      dgain.beta = 1;
    }
    args.dgain = dgain->mutable_flat();
    args.dshift = dshift->mutable_flat();
    args.beta_p = dgain.beta;
  }
  on_device(x.device(), [&](auto& context) { kernel(context, args); });
}

}  // namespace

Var layer_norm(const Var& x, const Var& gain, const Var& shift, real epsilon) {
  check_widths("layer_norm", x, gain, shift);
  Tensor y = Tensor::empty(x.rows(), x.cols(), x.device());
  Tensor mean = Tensor::empty(x.rows(), 1, x.device()), rstd = Tensor::empty(x.rows(), 1, x.device());
  on_device(x.device(), [&](auto& context) {
    kernels::layer_norm(context, {.x = x.value().view(),
                                  .gain = gain.value().flat(),
                                  .shift = shift.value().flat(),
                                  .y = y.mutable_view(),
                                  .mean = mean.mutable_flat(),
                                  .rstd = rstd.mutable_flat(),
                                  .epsilon = epsilon});
  });
  return record("layer_norm", y, {x.ref(), gain.ref(), shift.ref()},
                [x, gain, shift, mean, rstd](const Tensor& dy, Gradients grad) {
                  kernels::LayerNormGrad args{};
                  args.x = x.value().view();
                  args.dy = dy.view();
                  args.gain = gain.value().flat();
                  args.mean = mean.flat();
                  args.rstd = rstd.flat();
                  into_gradients(args, x, gain, shift, grad, [](auto& context, const auto& a) {
                    kernels::layer_norm_grad(context, a);
                  });
                });
}

Var batch_norm(const Var& x, const Var& gain, const Var& shift, BatchStatistics& running,
               real epsilon, real momentum, bool training) {
  check_widths("batch_norm", x, gain, shift);
  Tensor y = Tensor::empty(x.rows(), x.cols(), x.device());
  Tensor mean = Tensor::empty(1, x.cols(), x.device()), rstd = Tensor::empty(1, x.cols(), x.device());
  on_device(x.device(), [&](auto& context) {
    kernels::batch_norm(context, {.x = x.value().view(),
                                  .gain = gain.value().flat(),
                                  .shift = shift.value().flat(),
                                  .y = y.mutable_view(),
                                  .mean = mean.mutable_flat(),
                                  .rstd = rstd.mutable_flat(),
                                  .running_mean = running.mean.mutable_flat(),
                                  .running_variance = running.variance.mutable_flat(),
                                  .epsilon = epsilon,
                                  .momentum = momentum,
                                  .training = training});
  });
  return record("batch_norm", y, {x.ref(), gain.ref(), shift.ref()},
                [x, gain, shift, mean, rstd, training](const Tensor& dy, Gradients grad) {
                  kernels::BatchNormGrad args{};
                  args.x = x.value().view();
                  args.dy = dy.view();
                  args.gain = gain.value().flat();
                  args.mean = mean.flat();
                  args.rstd = rstd.flat();
                  args.training = training;
                  into_gradients(args, x, gain, shift, grad, [](auto& context, const auto& a) {
                    kernels::batch_norm_grad(context, a);
                  });
                });
}

}  // namespace tessera::inline TESSERA_PRECISION
