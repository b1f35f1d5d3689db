#define HWY_TARGET_INCLUDE "cpu/losses.cpp"
#include "cpu/simd_targets.h"

#include "cpu/chunked_sum.h"
#include "cpu/simd-inl.h"
#include "tessera/kernels/losses.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

double squared_difference_sum(const real* p, const real* t, int64_t n) {
  return fold_lanes(n, [=](auto d, int64_t i, auto acc) HWY_ATTR {
    const auto diff = hn::Sub(load_double(d, p + i), load_double(d, t + i));
    return mul_add(diff, diff, acc);
  });
}

void mse_grad_range(const MeanSquaredErrorGrad& a, real factor, int64_t begin, int64_t end) {
  const real *p = a.p.data, *t = a.t.data;
  real* dp = a.dp.data;
  if (a.beta == 0)
    for (int64_t i = begin; i < end; ++i) dp[i] = factor * (p[i] - t[i]);
  else
    for (int64_t i = begin; i < end; ++i) dp[i] = std::fma(factor, p[i] - t[i], a.beta * dp[i]);
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {

HWY_EXPORT(squared_difference_sum);
void mean_squared_error(CpuContext& context, const MeanSquaredError& a) {
  const auto sum_of = HWY_DYNAMIC_DISPATCH(squared_difference_sum);
  context.enqueue("mean_squared_error", [&] {
    const double sum = chunked_sum(context, a.p.size, [&](int64_t begin, int64_t end) {
      return sum_of(a.p.data + begin, a.t.data + begin, end - begin);
    });
    a.loss.data[0] = a.p.size > 0 ? real(sum / static_cast<double>(a.p.size)) : real(0);
  });
}

HWY_EXPORT(mse_grad_range);
void mean_squared_error_grad(CpuContext& context, const MeanSquaredErrorGrad& a) {
  const auto range = HWY_DYNAMIC_DISPATCH(mse_grad_range);
  context.parallel_ranges("mean_squared_error_grad", a.dp.size, 32768,
                          [&](int64_t begin, int64_t end) {
                            const real factor = real(double(a.dloss.data[0]) * 2 / a.p.size);
                            range(a, factor, begin, end);
                          });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
