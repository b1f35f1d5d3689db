#include "core/context.h"
#include "tessera/kernels/elementwise.h"
#include "tessera/kernels/matmul.h"
#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {

using kernels::Transpose;

Var linear(const Var& x, const Var& weight, const Var& bias) {
  TESSERA_CHECK(x.cols() == weight.cols(), "linear: x has ", x.cols(), " features, weight expects ",
                weight.cols(), "; weight is [out_features, in_features]");
  TESSERA_CHECK(bias.is_null() || bias.value().size() == weight.rows(), "linear: bias has ",
                bias.is_null() ? 0 : bias.value().size(), " values for ", weight.rows(),
                " outputs");
  Tensor y = Tensor::empty(x.rows(), weight.rows(), x.device());
  on_device(x.device(), [&](auto& context) {
    kernels::matmul(context,
                    {.a = x.value().view(),
                     .b = weight.value().view(),
                     .c = y.mutable_view(),
                     .tb = Transpose::Yes,
                     .bias = bias.is_null() ? VectorView<const real>{} : bias.value().flat()});
  });
  return record("linear", y, {x.ref(), weight.ref(), bias.ref()},
                [x, weight, bias_ref = bias.ref()](const Tensor& dy, Gradients grad) {
                  on_device(dy.device(), [&](auto& context) {
                    if (GradSlot dw = grad.whole(weight.ref()))  // dW = dy^T x
                      kernels::matmul(context, {.a = dy.view(),
                                                .b = x.value().view(),
                                                .c = dw->mutable_view(),
                                                .ta = Transpose::Yes,
                                                .beta = dw.beta,
                                                .bias = {}});
                    if (GradSlot db = grad.whole(bias_ref))
                      kernels::column_sums(
                          context, {.x = dy.view(), .sums = db->mutable_flat(), .beta = db.beta});
                    if (GradSlot dx = grad.whole(x.ref()))  // dx = dy W
                      kernels::matmul(context, {.a = dy.view(),
                                                .b = weight.value().view(),
                                                .c = dx->mutable_view(),
                                                .beta = dx.beta,
                                                .bias = {}});
                  });
                });
}

Var linear_transposed(const Var& x, const Var& weight) {
  TESSERA_CHECK(x.cols() == weight.rows(), "linear_transposed: x has ", x.cols(),
                " features, weight expects ", weight.rows(),
                "; weight is [out_features, in_features], read the other way");
  Tensor y = Tensor::empty(x.rows(), weight.cols(), x.device());
  on_device(x.device(), [&](auto& context) {
    kernels::matmul(context, {.a = x.value().view(),
                              .b = weight.value().view(),
                              .c = y.mutable_view(),
                              .bias = {}});
  });
  return record("linear_transposed", y, {x.ref(), weight.ref()},
                [x, weight](const Tensor& dy, Gradients grad) {
                  on_device(dy.device(), [&](auto& context) {
                    if (GradSlot dw = grad.whole(weight.ref()))  // dW = x^T dy
                      kernels::matmul(context, {.a = x.value().view(),
                                                .b = dy.view(),
                                                .c = dw->mutable_view(),
                                                .ta = Transpose::Yes,
                                                .beta = dw.beta,
                                                .bias = {}});
                    if (GradSlot dx = grad.whole(x.ref()))  // dx = dy W^T
                      kernels::matmul(context, {.a = dy.view(),
                                                .b = weight.value().view(),
                                                .c = dx->mutable_view(),
                                                .tb = Transpose::Yes,
                                                .beta = dx.beta,
                                                .bias = {}});
                  });
                });
}

}  // namespace tessera::inline TESSERA_PRECISION
