// Squared error by columns: contracts in tessera/kernels/column_loss.h.
//
// Mapping    blocks of 64 columns over the threads for the sums, rows for the gradient.
// Exactness  sums: binary64, n ascending.

#define HWY_TARGET_INCLUDE "cpu/column_loss.cpp"
#include "cpu/simd_targets.h"
// First the targets, then all else.
#include <algorithm>
#include <cmath>

#include "cpu/cpu_context.h"
#include "cpu/simd-inl.h"
#include "tessera/kernels/column_loss.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

void square_columns(const ColumnSquaredError& a, int64_t begin, int64_t end) {
  constexpr int64_t kBlock = 64;  // columns at a time: their sums stay in L1
  for (int64_t c0 = begin; c0 < end; c0 += kBlock) {
    const int64_t cols = std::min(kBlock, end - c0);
    double sums[kBlock] = {};
    for (int64_t n = 0; n < a.p.rows; ++n) {
      const real *p = a.p.data + n * a.p.ld + c0, *t = a.t.data + n * a.t.ld;
      if (a.target.data != nullptr) {
        const int32_t* target = a.target.data + c0;
        for (int64_t c = 0; c < cols; ++c) {
          const double diff = double(p[c]) - double(t[target[c]]);
          sums[c] = std::fma(diff, diff, sums[c]);
        }
      } else {
        for (int64_t c = 0; c < cols; ++c) {
          const double diff = double(p[c]) - double(t[c0 + c]);
          sums[c] = std::fma(diff, diff, sums[c]);
        }
      }
    }
    std::copy_n(sums, cols, a.sums.data + c0);
  }
}

void column_grad_row(const ColumnSquaredErrorGrad& a, double scale, int64_t n) {
  const real *p = a.p.data + n * a.p.ld, *t = a.t.data + n * a.t.ld, *weight = a.weight.data;
  real* dp = a.dp.data + n * a.dp.ld;
  const real factor = real(scale);
  for (int64_t c = 0; c < a.p.cols; ++c) {
    const real target = a.target.data != nullptr ? t[a.target.data[c]] : t[c];
    const real value = factor * weight[c] * (p[c] - target);
    dp[c] = a.beta == 0 ? value : std::fma(a.beta, dp[c], value);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {

HWY_EXPORT(square_columns);
void column_squared_error(CpuContext& context, const ColumnSquaredError& a) {
  const auto columns = HWY_DYNAMIC_DISPATCH(square_columns);
  constexpr int64_t kGrain = 64;
  context.enqueue("column_squared_error", [&] {
    context.pool().run((a.p.cols + kGrain - 1) / kGrain, [&](int64_t i) {
      columns(a, i * kGrain, std::min(a.p.cols, (i + 1) * kGrain));
    });
    double loss = 0;
    for (int64_t c = 0; c < a.p.cols; ++c)
      loss = std::fma(double(a.weight.data[c]), a.sums.data[c], loss);
    a.loss.data[0] = real(a.factor * loss);
  });
}

HWY_EXPORT(column_grad_row);
void column_squared_error_grad(CpuContext& context, const ColumnSquaredErrorGrad& a) {
  const auto row = HWY_DYNAMIC_DISPATCH(column_grad_row);
  context.parallel_ranges("column_squared_error_grad", a.p.rows, 32,
                          [&](int64_t begin, int64_t end) {
                            const double scale = double(a.dloss.data[0]) * 2 * a.factor;
                            for (int64_t n = begin; n < end; ++n) row(a, scale, n);
                          });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
