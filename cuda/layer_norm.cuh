#pragma once

// Layer norm of one row by one warp; all lanes call. Statistics in binary64.

#include "reduce.cuh"

namespace tessera::cuda {

/// Calls f(c) for this lane's columns.
template <class F>
__device__ __forceinline__ void for_lane(int64_t cols, F f) {
  for (int64_t c = threadIdx.x % kWarpSize; c < cols; c += kWarpSize) f(c);
}

/// y = (x - mean) rstd gain + shift over `cols` values.
__device__ inline void normalize_row(const float* x, int64_t cols, const float* gain,
                                     const float* shift, float epsilon, float* y, float* mean_out,
                                     float* rstd_out) {
  double sum = 0, square = 0;
  for_lane(cols, [&](int64_t c) { sum += double(x[c]); });
  const double mean = warp_sum(sum) / static_cast<double>(cols);
  for_lane(cols, [&](int64_t c) {
    const double t = double(x[c]) - mean;
    square = fma(t, t, square);
  });
  const double variance = warp_sum(square) / static_cast<double>(cols);
  const float m = float(mean), r = float(1 / sqrt(variance + double(epsilon)));
  if (threadIdx.x % kWarpSize == 0) {
    *mean_out = m;
    *rstd_out = r;
  }
  for_lane(cols, [&](int64_t c) { y[c] = fmaf((x[c] - m) * r, gain[c], shift[c]); });
}

/// dx = beta dx + rstd (g - mean(g) - xhat mean(g xhat)),   g = dy gain,  xhat = (x - mean) rstd
__device__ inline void normalize_row_grad(const float* x, const float* dy, int64_t cols,
                                          const float* gain, float mean, float rstd, float beta,
                                          float* dx) {
  double sum_g = 0, sum_gx = 0;
  for_lane(cols, [&](int64_t c) {
    const double g = double(dy[c]) * double(gain[c]);
    sum_g += g;
    sum_gx = fma(g, (double(x[c]) - double(mean)) * double(rstd), sum_gx);
  });
  const float mean_g = float(warp_sum(sum_g) / static_cast<double>(cols));
  const float mean_gx = float(warp_sum(sum_gx) / static_cast<double>(cols));
  for_lane(cols, [&](int64_t c) {
    const float xhat = (x[c] - mean) * rstd;
    const float value = rstd * (dy[c] * gain[c] - mean_g - xhat * mean_gx);
    dx[c] = beta == 0 ? value : fmaf(beta, dx[c], value);
  });
}

}  // namespace tessera::cuda
