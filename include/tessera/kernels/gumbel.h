#pragma once

#include <cmath>
#include <cstdint>

#include "tessera/kernels/host_device.h"
#include "tessera/kernels/scalar_math.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// g = -ln(-ln u), a standard Gumbel number from u uniform in [0, 1). u is kept 2^-24 away from both
/// ends, where g would be infinite. Source: Gumbel 1954; Jang et al. 2017, eq. (1).
TESSERA_HD double gumbel_noise(double u) {
  constexpr double kMargin = 0x1p-24;
  const double inside = u < kMargin ? kMargin : (u > 1 - kMargin ? 1 - kMargin : u);
  return -log(-log(inside));
}

/// One row of a Gumbel-softmax:
///
///   y_k = exp((l_k + g_k) / t) / sum_j exp((l_j + g_j) / t)
///
/// l  [count] logits;  g  [count] noise, or null for none;  t  temperature, above 0
/// The noise is added before the division, as in Jang et al. 2017, eq. (2). So is the largest score
/// taken off: l + g of 50 at t 0.05 keeps its digits, and every exponential is at most 1.
TESSERA_HD void gumbel_softmax_row(const real* logits, const real* noise, int32_t count,
                                   real temperature, real* y) {
  const auto score = [=](int32_t k) {
    return logits[k] + (noise != nullptr ? noise[k] : real(0));
  };
  real largest = score(0), sum = 0;
  for (int32_t k = 1; k < count; ++k) largest = score(k) > largest ? score(k) : largest;
  for (int32_t k = 0; k < count; ++k) sum += y[k] = math::exp((score(k) - largest) / temperature);
  for (int32_t k = 0; k < count; ++k) y[k] /= sum;
}

/// The category of the hard row: the first with the largest y.
TESSERA_HD int32_t hard_category(const real* y, int32_t count) {
  int32_t best = 0;
  for (int32_t k = 1; k < count; ++k) best = y[k] > y[best] ? k : best;
  return best;
}

/// dl_k = (1 / t) y_k (dy_k - sum_j y_j dy_j), also for the hard row: straight-through, its forward
/// value is one-hot at the first largest y and its gradient that of y. dy is taken relative to that of
/// the largest y, which changes nothing as sum y = 1: a row close to one-hot, whose gradient is a
/// small difference of large numbers, keeps its digits.
TESSERA_HD void gumbel_softmax_row_grad(const real* y, const real* dy, int32_t count,
                                        real temperature, real* dlogits) {
  const real base = dy[hard_category(y, count)];
  real mean = 0;
  for (int32_t k = 0; k < count; ++k) mean += y[k] * (dy[k] - base);
  for (int32_t k = 0; k < count; ++k) dlogits[k] = y[k] * (dy[k] - base - mean) / temperature;
}

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
