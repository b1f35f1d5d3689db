#pragma once

#include <memory>
#include <vector>

#include "core/context.h"
#include "tessera/kernels/elementwise.h"
#include "tessera/optimizer.h"
#include "tessera/tape.h"

// Ways to look into a backward pass. On the CPU only: the host reads gradients as they pass.
namespace tessera::inline TESSERA_PRECISION {
namespace probe {

/// A group of parameters with given values, allocated.
struct Values {
  std::vector<real> values;
  int64_t rows, cols;
};
inline std::unique_ptr<ParameterGroup> parameters(const std::vector<Values>& values) {
  auto group = std::make_unique<ParameterGroup>("probe", kModelGroup);
  for (size_t i = 0; i < values.size(); ++i)
    group->declare({"p" + std::to_string(i), values[i].rows, values[i].cols,
                    [v = values[i].values](int64_t at) { return v.at(static_cast<size_t>(at)); }});
  group->allocate(Device{});
  return group;
}

/// x itself; `seen` receives the whole gradient that reaches it.
inline Var watch(const Var& x, std::vector<real>& seen) {
  return record(
      "watch", x.value(), {x.ref()}, [ref = x.ref(), &seen](const Tensor& dy, Gradients grad) {
        seen = dy.to_host();
        const GradSlot dx = grad.whole(ref);
        kernels::scale_add(
            cpu_context(),
            {.x = dy.flat(), .y = dx.tensor->mutable_flat(), .alpha = 1, .beta = dx.beta});
      });
}

/// A loss whose gradient in x is `upstream`, as long as x; its value means nothing. The one loss of
/// its tape, and x is used nowhere else.
inline Var loss_with_gradient(const Var& x, const std::vector<real>& upstream) {
  return record("loss_with_gradient", Tensor::zeros(1, 1, x.device()), {x.ref()},
                [ref = x.ref(), upstream](const Tensor&, Gradients grad) {
                  const GradSlot dx = grad.whole(ref);
                  TESSERA_CHECK(dx.beta == 0, "loss_with_gradient: x is used elsewhere");
                  dx.tensor->write(upstream);
                });
}

}  // namespace probe
}  // namespace tessera::inline TESSERA_PRECISION
