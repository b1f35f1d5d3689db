// Straight-through gradients written out by hand, as the reference program has them.
//
//   Z = X W^T,  Q = rows of E,  R = X - Q W,  B rows
//   G  = -(2/B) (Q^T R + (R W^T)^T X) + (2 beta/B) (Z - Q)^T X       the tape's gradient
//   W -= lrW (G - W (G^T W + W^T G) / 2)                             half the canonical gradient
//   E_j -= lrE 2 alpha (E_j - mean of its rows)                      B/|B_j| times the tape's gradient
// The last is k-means on batches with the constant rate 2 alpha lrE: stable below 1 / alpha only.

#include "methods/ste_manual.h"

#include "core/context.h"
#include "methods/methods.h"
#include "tessera/kernels/matmul.h"
#include "tessera/kernels/vq_update.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using kernels::Transpose;

Tensor multiply(const Tensor& a, Transpose ta, const Tensor& b, Transpose tb) {
  const int64_t rows = ta == Transpose::Yes ? a.cols() : a.rows();
  Tensor c = Tensor::empty(rows, tb == Transpose::Yes ? b.rows() : b.cols(), a.device());
  on_device(a.device(), [&](auto& context) {
    kernels::matmul(
        context,
        {.a = a.view(), .b = b.view(), .c = c.mutable_view(), .ta = ta, .tb = tb, .bias = {}});
  });
  return c;
}

/// alpha a + beta b
Tensor combine(const Tensor& a, double alpha, const Tensor& b, double beta) {
  return add(Var(a), Var(b), real(alpha), real(beta)).value();
}

SmallMatrix on_host(const Tensor& t) {
  const std::vector<real> values = t.to_host();
  return {t.rows(), t.cols(), {values.begin(), values.end()}};
}

double mean_square(const Tensor& a, const Tensor& b) {  // summed over columns
  return double(a.cols()) * double(mean_squared_error(Var(a), Var(b)).value().to_host()[0]);
}

void move_codes(LinearModel& model, const NearestCodes& nearest, const Tensor& z,
                const LabSettings& s) {
  SmallMatrix codes = model.codebook_values();
  Tensor counts = Tensor::empty(1, codes.rows, z.device());
  Tensor sums = Tensor::empty(1, model.codebook().value.size(), z.device());
  on_device(z.device(), [&](auto& context) {
    kernels::vq_code_sums(context, {.groups = model.table().view(),
                                    .codes = {nearest.codes.data(), z.rows(), 1, 1},
                                    .rows = z.view(),
                                    .counts = counts.mutable_flat(),
                                    .sums = sums.mutable_flat(),
                                    .usage = {}});
  });
  const std::vector<real> members = counts.to_host(), sum = sums.to_host();
  for (int64_t j = 0; j < codes.rows; ++j) {
    if (!(members[static_cast<size_t>(j)] > 0)) continue;
    for (int64_t i = 0; i < codes.cols; ++i) {
      const double mean = double(sum[static_cast<size_t>(j * codes.cols + i)]) /
                          double(members[static_cast<size_t>(j)]);
      codes(j, i) -= s.codebook_rate * 2 * s.codebook_weight * (codes(j, i) - mean);
    }
  }
  model.write_codebook(codes);
}

}  // namespace

SmallMatrix riemannian_gradient(const SmallMatrix& w, const SmallMatrix& g) {
  SmallMatrix result = g;
  const SmallMatrix along = product(product_transposed(w, g), w);   // W G^T W
  const SmallMatrix within = product(product_transposed(w, w), g);  // W W^T G
  for (size_t i = 0; i < result.values.size(); ++i)
    result.values[i] -= 0.5 * (along.values[i] + within.values[i]);
  return result;
}

void manual_step(LinearModel& model, const Tensor& x, const LabSettings& s, LabLosses* losses) {
  const Tensor& w = model.encoder().value;
  const Tensor z = multiply(x, Transpose::No, w, Transpose::Yes);
  const NearestCodes nearest = nearest_codes(model.table(), Var(z), Var(model.codebook().value));
  const Tensor& q = nearest.quantized.value();
  const Tensor xhat = multiply(q, Transpose::No, w, Transpose::No);
  const Tensor r = combine(x, 1, xhat, -1);
  if (losses != nullptr) {
    const double distance = mean_square(z, q);
    *losses = {mean_square(x, xhat), s.codebook_weight * distance, s.commitment_weight * distance};
  }
  // Both terms with X on the right: -(R W^T) + beta (Z - Q).
  const Tensor path = combine(multiply(r, Transpose::No, w, Transpose::Yes), -1,
                              combine(z, 1, q, -1), s.commitment_weight);
  const SmallMatrix decoder = on_host(multiply(q, Transpose::Yes, r, Transpose::No));
  SmallMatrix g = on_host(multiply(path, Transpose::Yes, x, Transpose::No));
  for (size_t i = 0; i < g.values.size(); ++i)
    g.values[i] = 2 / double(x.rows()) * (g.values[i] - decoder.values[i]);

  SmallMatrix moved = model.encoder_values();
  const SmallMatrix direction = riemannian_gradient(moved, g);
  for (size_t i = 0; i < moved.values.size(); ++i)
    moved.values[i] -= s.encoder_rate * direction.values[i];
  move_codes(model, nearest, z, s);
  model.write_encoder(moved);
}

LabResult train_ste_manual(const LabProblem& problem) {
  return train_in_steps(problem, manual_step);
}

}  // namespace tessera::inline TESSERA_PRECISION
