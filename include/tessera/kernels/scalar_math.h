#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "tessera/kernels/host_device.h"

// Elementary functions with the same bits on every host: built from IEEE operations and explicit
// fma, where libm's results differ between versions and instruction sets. Doubles (tests only) use
// libm. On the GPU the same formulas are compiled by nvcc.
namespace tessera::math {

/// e^x, relative error below 1e-7 (tests/kernels/scalar_math_test.cpp); 0 below -87.3, inf above
/// 88.7. Source: Cody and Waite 1980, chapter 6; polynomial of degree 7 on [-ln2/2, ln2/2].
TESSERA_HD float exp(float x) {
  const float clamped = x > -87.3f ? (x < 88.7f ? x : 88.7f) : -87.3f;  // NaN: any number will do
  const float shifted = fmaf(clamped, 1.44269504f, 12582912.0f);  // 1.5 * 2^23: rounds to integer
  const float n = shifted - 12582912.0f;
  const float r = fmaf(n, -1.42860677e-6f, fmaf(n, -0.693145752f, clamped));  // ln 2 in two parts
  float p = 1.0f / 5040;
  p = fmaf(p, r, 1.0f / 720);
  p = fmaf(p, r, 1.0f / 120);
  p = fmaf(p, r, 1.0f / 24);
  p = fmaf(p, r, 1.0f / 6);
  p = fmaf(p, r, 0.5f);
  p = fmaf(p, r, 1.0f);
  p = fmaf(p, r, 1.0f);
  // 2^n in two factors, so that n = 128 does not overflow before the product.
  const int32_t whole = static_cast<int32_t>(n), half = whole >> 1;
  const float scale1 = std::bit_cast<float>((half + 127) << 23);
  const float scale2 = std::bit_cast<float>((whole - half + 127) << 23);
  const float y = p * scale1 * scale2;
  return x < -87.3f ? 0.0f : (x > 88.7f ? HUGE_VALF : (x == x ? y : x));
}
TESSERA_HD double exp(double x) { return std::exp(x); }

/// 1 / (1 + e^-x)
template <class T>
TESSERA_HD T sigmoid(T x) {
  return T(1) / (T(1) + exp(-x));
}

/// (1 - e^-2|x|) / (1 + e^-2|x|) with the sign of x; x itself where |x| is small enough that
/// the quotient would lose digits. Relative error below 3e-7.
TESSERA_HD float tanh(float x) {
  const float size = x < 0 ? -x : x;
  const float t = exp(-2 * size);
  const float large = (1 - t) / (1 + t);
  const float square = x * x;  // odd Taylor polynomial, enough below 0.2
  float p = -17.0f / 315;
  p = fmaf(p, square, 2.0f / 15);
  p = fmaf(p, square, -1.0f / 3);
  const float small = fmaf(p * square, size, size);
  const float y = size < 0.2f ? small : large;
  return x < 0 ? -y : y;
}
TESSERA_HD double tanh(double x) { return std::tanh(x); }

}  // namespace tessera::math
