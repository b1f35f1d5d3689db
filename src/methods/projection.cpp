// The estimator that the reference program calls rotation: of the gradient g at a code, only the part
// along the line from latent to code passes,
//   dz = (g . u) u,   u = (q - z) / max(|q - z|, 1e-8).
// With a tied decoder and orthonormal rows g is parallel to that line: the same as straight-through.

#include "methods/projection.h"

#include <algorithm>
#include <cmath>

#include "core/context.h"
#include "methods/methods.h"
#include "methods/step_training.h"
#include "tessera/kernels/elementwise.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

/// On the host: a method kept for comparison is worth no kernel of its own.
std::vector<real> projected(const std::vector<real>& g, const std::vector<real>& z,
                            const std::vector<real>& q, size_t dim) {
  constexpr double kShortest = 1e-8;
  std::vector<real> dz(g.size());
  for (size_t row = 0; row < g.size(); row += dim) {
    double along = 0, square = 0;
    for (size_t i = row; i < row + dim; ++i) {
      const double line = double(q[i]) - double(z[i]);
      along += double(g[i]) * line;
      square += line * line;
    }
    const double length = std::max(std::sqrt(square), kShortest);
    for (size_t i = row; i < row + dim; ++i)
      dz[i] = real(along / length / length * (double(q[i]) - double(z[i])));
  }
  return dz;
}

}  // namespace

Var line_projection(const VqTable&, const Var& latents, const Tensor& quantized) {
  return record("line_projection", quantized, {latents.ref()},
                [latents, quantized](const Tensor& dy, Gradients grad) {
                  const GradSlot dx = grad.whole(latents.ref());
                  const std::vector<real> dz =
                      projected(dy.to_host(), latents.value().to_host(), quantized.to_host(),
                                static_cast<size_t>(dy.cols()));
                  Tensor contribution = Tensor::empty(dy.rows(), dy.cols(), dy.device());
                  contribution.write(dz);
                  on_device(dy.device(), [&](auto& context) {
                    kernels::scale_add(context, {.x = contribution.flat(),
                                                 .y = dx.tensor->mutable_flat(),
                                                 .alpha = 1,
                                                 .beta = dx.beta});
                  });
                });
}

LabResult train_projection(const LabProblem& problem) {
  return train_in_steps(problem, tape_step(line_projection));
}

}  // namespace tessera::inline TESSERA_PRECISION
