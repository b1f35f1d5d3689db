#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "core/context.h"
#include "tessera/kernels/matmul.h"
#include "testing/determinism.h"
#include "testing/guarded_matrix.h"

namespace tessera::testing {

/// One product with padded operands, and what its contract says it is.
struct MatmulCase {
  int64_t m, n, k;
  kernels::Transpose ta = kernels::Transpose::No, tb = kernels::Transpose::No;
  bool has_beta = false, has_bias = false;

  static constexpr int64_t kPad = 5;
  bool a_turned() const { return ta == kernels::Transpose::Yes; }
  bool b_turned() const { return tb == kernels::Transpose::Yes; }
  int64_t a_pitch() const { return (a_turned() ? m : k) + kPad; }
  int64_t b_pitch() const { return (b_turned() ? k : n) + kPad; }
  std::vector<real> a() const { return uniform<real>((a_turned() ? k : m) * a_pitch(), 1); }
  std::vector<real> b() const { return uniform<real>((b_turned() ? n : k) * b_pitch(), 2); }
  std::vector<real> bias() const { return uniform<real>(n, 3); }
  std::vector<real> c() const {
    if (has_beta) return uniform<real>(m * n, 4);
    return std::vector<real>(static_cast<size_t>(m * n), std::numeric_limits<real>::quiet_NaN());
  }

  std::vector<real> run() const {
    const std::vector<real> a_values = a(), b_values = b(), bias_values = bias();
    GuardedMatrix<real> out(m, n, real(-77));
    out.write(c());
    kernels::Matmul product = {
        .a = {a_values.data(), a_turned() ? k : m, a_turned() ? m : k, a_pitch()},
        .b = {b_values.data(), b_turned() ? n : k, b_turned() ? k : n, b_pitch()},
        .c = out.view(),
        .ta = ta,
        .tb = tb,
        .beta = real(has_beta ? 1 : 0),
        .bias = {}};
    if (has_bias) product.bias = {bias_values.data(), n};
    kernels::matmul(cpu_context(), product);
    return out.read();
  }

  /// One chain of fused multiply-adds for each element.
  std::vector<real> expected() const {
    const std::vector<real> a_values = a(), b_values = b(), bias_values = bias(), start = c();
    std::vector<real> result;
    for (int64_t row = 0; row < m; ++row)
      for (int64_t col = 0; col < n; ++col) {
        real sum = 0;
        if (has_beta) sum = start[static_cast<size_t>(row * n + col)];
        if (has_bias) sum = has_beta ? sum + bias_values[col] : bias_values[col];
        for (int64_t i = 0; i < k; ++i)
          sum = std::fma(a_values[a_turned() ? i * a_pitch() + row : row * a_pitch() + i],
                         b_values[b_turned() ? col * b_pitch() + i : i * b_pitch() + col], sum);
        result.push_back(sum);
      }
    return result;
  }

  void check() const {
    SCOPED_TRACE(::testing::Message() << m << " x " << n << " x " << k << (a_turned() ? " ta" : "")
                                      << (b_turned() ? " tb" : "") << (has_beta ? " beta" : "")
                                      << (has_bias ? " bias" : ""));
    expect_same_bits(run(), expected());
  }
};

/// The case in all four layouts.
inline std::vector<MatmulCase> layouts(MatmulCase one) {
  using kernels::Transpose;
  std::vector<MatmulCase> all;
  for (const Transpose ta : {Transpose::No, Transpose::Yes})
    for (const Transpose tb : {Transpose::No, Transpose::Yes}) {
      one.ta = ta;
      one.tb = tb;
      all.push_back(one);
    }
  return all;
}

}  // namespace tessera::testing
