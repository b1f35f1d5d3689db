// Layer norm of one row, once per target; see normalize.cpp.

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "cpu/simd-inl.h"
#include "tessera/kernels/views.h"

#if defined(TESSERA_CPU_LAYER_NORM_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CPU_LAYER_NORM_INL_H
#undef TESSERA_CPU_LAYER_NORM_INL_H
#else
#define TESSERA_CPU_LAYER_NORM_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

/// y = (x - mean) rstd gain + shift over `cols` values.
inline void normalize_row(const real* x, int64_t cols, const real* gain, const real* shift,
                          real epsilon, real* y, real& mean_out, real& rstd_out) {
  const double mean = sum_lanes(x, cols) / static_cast<double>(cols);
  const double square = fold_lanes(cols, [&](auto d, int64_t i, auto acc) HWY_ATTR {
    const auto t = hn::Sub(load_double(d, x + i), hn::Set(d, mean));
    return mul_add(t, t, acc);
  });
  const double rstd = 1 / std::sqrt(square / static_cast<double>(cols) + double(epsilon));
  mean_out = real(mean);
  rstd_out = real(rstd);
  const real m = real(mean), r = real(rstd);
  for (int64_t c = 0; c < cols; ++c) y[c] = std::fma((x[c] - m) * r, gain[c], shift[c]);
}

/// dx = beta dx + rstd (g - mean(g) - xhat mean(g xhat)),   g = dy gain,  xhat = (x - mean) rstd
inline void normalize_row_grad(const real* x, const real* dy, int64_t cols, const real* gain,
                               real mean, real rstd, real beta, real* dx) {
  const double sum_g = fold_lanes(cols, [&](auto d, int64_t i, auto acc) HWY_ATTR {
    return mul_add(load_double(d, dy + i), load_double(d, gain + i), acc);
  });
  const double sum_gx = fold_lanes(cols, [&](auto d, int64_t i, auto acc) HWY_ATTR {
    const auto xhat =
        hn::Mul(hn::Sub(load_double(d, x + i), hn::Set(d, double(mean))), hn::Set(d, double(rstd)));
    return mul_add(hn::Mul(load_double(d, dy + i), load_double(d, gain + i)), xhat, acc);
  });
  const real mean_g = real(sum_g / static_cast<double>(cols));
  const real mean_gx = real(sum_gx / static_cast<double>(cols));
  for (int64_t c = 0; c < cols; ++c) {
    const real xhat = (x[c] - mean) * rstd;
    const real value = rstd * (dy[c] * gain[c] - mean_g - xhat * mean_gx);
    dx[c] = beta == 0 ? value : std::fma(beta, dx[c], value);
  }
}

/// Columns whose parameter gradients are summed in one pass over the rows.
inline constexpr int64_t kParameterBlock = 256;

/// Gradients of gain and shift of at most kParameterBlock neighbouring columns:
///   dgain[c] = beta dgain[c] + sum_n dy xhat,   dshift[c] = beta dshift[c] + sum_n dy
/// n ascending, in binary64, rounded once. Row n has the statistics at n * statistic_ld. Either
/// output may be null.
inline void normalize_parameter_grads(const MatrixView<const real>& x,
                                      const MatrixView<const real>& dy, int64_t first, int64_t cols,
                                      const real* mean, const real* rstd, int64_t statistic_ld,
                                      real beta, real* dgain, real* dshift) {
  double gain[kParameterBlock], shift[kParameterBlock];
  std::fill_n(gain, cols, 0.0);
  std::fill_n(shift, cols, 0.0);
  for (int64_t n = 0; n < x.rows; ++n) {
    const real *x_row = x.data + n * x.ld + first, *dy_row = dy.data + n * dy.ld + first;
    const double m = double(mean[n * statistic_ld]), r = double(rstd[n * statistic_ld]);
    for_double_lanes(cols, [&](auto d, int64_t c) HWY_ATTR {
      const auto g = load_double(d, dy_row + c);
      const auto xhat = hn::Mul(hn::Sub(load_double(d, x_row + c), hn::Set(d, m)), hn::Set(d, r));
      hn::StoreU(hn::Add(hn::LoadU(d, shift + c), g), d, shift + c);
      hn::StoreU(mul_add(g, xhat, hn::LoadU(d, gain + c)), d, gain + c);
    });
  }
  const auto store = [&](real* out, const double* sums) {
    for (int64_t c = 0; c < cols && out != nullptr; ++c)
      out[first + c] = real(beta == 0 ? sums[c] : double(beta) * double(out[first + c]) + sums[c]);
  };
  store(dgain, gain);
  store(dshift, shift);
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
