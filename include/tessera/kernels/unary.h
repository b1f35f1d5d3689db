#pragma once

#include <array>
#include <string_view>

#include "tessera/kernels/host_device.h"
#include "tessera/kernels/scalar_math.h"
#include "tessera/kernels/views.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

// One activation is one struct: f(x), and df(x, y) = dy/dx given x and y = f(x).
// Both backends, the autograd rule, the config and the tests run over this list.
struct Identity {
  static constexpr const char* kName = "identity";
  static TESSERA_HD real f(real x) { return x; }
  static TESSERA_HD real df(real, real) { return 1; }
};
struct Relu {
  static constexpr const char* kName = "relu";
  static TESSERA_HD real f(real x) { return x < 0 ? real(0) : x; }  // NaN stays
  static TESSERA_HD real df(real x, real) { return x > 0 ? real(1) : real(0); }
};
struct Tanh {
  static constexpr const char* kName = "tanh";
  static TESSERA_HD real f(real x) { return math::tanh(x); }
  static TESSERA_HD real df(real, real y) { return 1 - y * y; }
};
struct Sigmoid {
  static constexpr const char* kName = "sigmoid";
  static TESSERA_HD real f(real x) { return math::sigmoid(x); }
  static TESSERA_HD real df(real, real y) { return y * (1 - y); }
};
struct Silu {
  static constexpr const char* kName = "silu";
  static TESSERA_HD real f(real x) { return x * math::sigmoid(x); }
  static TESSERA_HD real df(real x, real y) {
    const real s = math::sigmoid(x);
    return s + y * (1 - s);
  }
};
/// The tanh form: Hendrycks and Gimpel 2016, section 2.
struct Gelu {
  static constexpr const char* kName = "gelu";
  static constexpr real kScale = real(0.7978845608028654), kCubic = real(0.044715);
  static TESSERA_HD real f(real x) {
    return real(0.5) * x * (1 + math::tanh(kScale * (x + kCubic * x * x * x)));
  }
  static TESSERA_HD real df(real x, real) {
    const real t = math::tanh(kScale * (x + kCubic * x * x * x));
    return real(0.5) * (1 + t) +
           real(0.5) * x * (1 - t * t) * kScale * (1 + 3 * kCubic * x * x);
  }
};

enum class UnaryOp { Identity, Relu, Tanh, Sigmoid, Silu, Gelu };
inline constexpr std::array kUnaryOps = {UnaryOp::Identity, UnaryOp::Relu, UnaryOp::Tanh,
                                         UnaryOp::Sigmoid,  UnaryOp::Silu, UnaryOp::Gelu};

/// Calls f with the struct of `op`.
template <class F>
auto with_unary(UnaryOp op, F&& f) {
  switch (op) {
    case UnaryOp::Identity: return f(Identity{});
    case UnaryOp::Relu: return f(Relu{});
    case UnaryOp::Tanh: return f(Tanh{});
    case UnaryOp::Sigmoid: return f(Sigmoid{});
    case UnaryOp::Silu: return f(Silu{});
    case UnaryOp::Gelu: return f(Gelu{});
  }
  __builtin_unreachable();
}
inline std::string_view name_of(UnaryOp op) {
  return with_unary(op, [](auto f) { return std::string_view(f.kName); });
}

/// y[i] = f(x[i])      y may be x
struct Unary {
  UnaryOp op;
  VectorView<const real> x;
  VectorView<real> y;
};
void unary(CpuContext&, const Unary&);
void unary(CudaContext&, const Unary&);

/// dx[i] = beta dx[i] + dy[i] scale f'(x[i])      dx may be dy
struct UnaryGrad {
  UnaryOp op;
  VectorView<const real> x, y, dy;
  VectorView<real> dx;
  real beta = 0, scale = 1;
};
void unary_grad(CpuContext&, const UnaryGrad&);
void unary_grad(CudaContext&, const UnaryGrad&);

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
