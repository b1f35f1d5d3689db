#include "tessera/kernels/losses.h"

#include "core/context.h"
#include "tessera/ops.h"

namespace tessera::inline TESSERA_PRECISION {

Var mean_squared_error(const Var& prediction, const Var& target) {
  TESSERA_CHECK(prediction.rows() == target.rows() && prediction.cols() == target.cols(),
                "mean_squared_error: [", prediction.rows(), ", ", prediction.cols(), "] against [",
                target.rows(), ", ", target.cols(), "]; shapes must be equal");
  Tensor loss = Tensor::empty(1, 1, prediction.device());
  on_device(prediction.device(), [&](auto& context) {
    kernels::mean_squared_error(
        context,
        {.p = prediction.value().flat(), .t = target.value().flat(), .loss = loss.mutable_flat()});
  });
  return record("mean_squared_error", loss, {prediction.ref(), target.ref()},
                [prediction, target](const Tensor& dloss, Gradients grad) {
                  const auto into = [&](const Var& p, const Var& t) {  // symmetric in its operands
                    const GradSlot dp = grad.whole(p.ref());
                    if (!dp) return;
                    on_device(dloss.device(), [&](auto& context) {
                      kernels::mean_squared_error_grad(context, {.p = p.value().flat(),
                                                                 .t = t.value().flat(),
                                                                 .dloss = dloss.flat(),
                                                                 .dp = dp.tensor->mutable_flat(),
                                                                 .beta = dp.beta});
                    });
                  };
                  into(prediction, target);
                  into(target, prediction);
                });
}

}  // namespace tessera::inline TESSERA_PRECISION
