#pragma once

#include <cmath>

// Logarithm and cosine in binary64 with the same bits on every machine: IEEE operations only, where
// libm's results differ between versions and instruction sets. For numbers that a stored data set
// or a frozen generator depends on; a few units in the last place.
namespace tessera::math {

/// Natural logarithm of a positive finite number: x = m 2^e with m in [sqrt(1/2), sqrt(2)), then
/// log m = 2 artanh((m - 1) / (m + 1)) by its series, whose 12th term is below 2^-58.
inline double portable_log(double x) {
  constexpr double kLn2 = 0.693147180559945309417, kSqrtHalf = 0.70710678118654752440;
  int exponent = 0;
  double m = std::frexp(x, &exponent);
  if (m < kSqrtHalf) {
    m *= 2;
    --exponent;
  }
  const double s = (m - 1) / (m + 1), square = s * s;
  double series = 0;
  for (int n = 23; n >= 1; n -= 2) series = series * square + 1.0 / n;
  return exponent * kLn2 + 2 * s * series;
}

/// cos(2 pi x), exact at multiples of a quarter: the argument is brought to an eighth of a turn,
/// where the Taylor series of degree 18 is below 2^-58.
inline double portable_cos_turns(double x) {
  constexpr double kTwoPi = 6.283185307179586476925;
  const double turn = std::fabs(x - std::nearbyint(x));  // [0, 1/2]
  const bool negative = turn > 0.25;
  const double near = negative ? 0.5 - turn : turn;  // [0, 1/4]
  const bool as_sine = near > 0.125;
  const double angle = kTwoPi * (as_sine ? 0.25 - near : near), square = angle * angle;
  double series = 1;
  for (int n = as_sine ? 19 : 18; n >= 2; n -= 2) series = 1 - series * square / (n * (n - 1));
  const double value = as_sine ? angle * series : series;
  return negative ? -value : value;
}
inline double portable_sin_turns(double x) { return portable_cos_turns(x - 0.25); }

}  // namespace tessera::math
