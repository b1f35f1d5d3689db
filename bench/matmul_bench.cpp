// The matrix products of one training step of a dense autoencoder, batch 256.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "bench/bench.h"
#include "bench/gpu.h"
#include "tessera/kernels/matmul.h"

namespace tessera::bench {
namespace {

using kernels::Matmul;
using kernels::Transpose;

struct Shape {
  int64_t m, n, k;
  Transpose ta, tb;
  bool bias;
};

/// Views and flags of a product over storage of somebody else.
Matmul matmul_of(const Shape& s, const float* a, const float* b, float* c, const float* bias) {
  const bool ta = s.ta == Transpose::Yes, tb = s.tb == Transpose::Yes;
  Matmul m;
  m.a = {a, ta ? s.k : s.m, ta ? s.m : s.k, ta ? s.m : s.k};
  m.b = {b, tb ? s.n : s.k, tb ? s.k : s.n, tb ? s.k : s.n};
  m.c = {c, s.m, s.n, s.n};
  m.ta = s.ta;
  m.tb = s.tb;
  if (s.bias) m.bias = {bias, s.n};
  return m;
}

double flop_of(const Matmul& m) {
  const int64_t k = m.ta == Transpose::Yes ? m.a.rows : m.a.cols;
  return 2.0 * static_cast<double>(m.c.rows * m.c.cols * k);
}

/// Compares some rows of c with the chain of the contract, bit for bit where `tolerance` is 0; c was made
/// with beta 0. Operands on the host.
std::string check(const Matmul& m, float tolerance = 0) {
  constexpr int64_t kRowsChecked = 16;
  const bool ta = m.ta == Transpose::Yes, tb = m.tb == Transpose::Yes;
  const int64_t rows = std::min(kRowsChecked, m.c.rows), k_count = ta ? m.a.rows : m.a.cols;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t col = 0, row = i * m.c.rows / rows; col < m.c.cols; ++col) {
      float sum = m.bias.data != nullptr ? m.bias.data[col] : 0;
      for (int64_t k = 0; k < k_count; ++k)
        sum = std::fma(m.a.data[ta ? k * m.a.ld + row : row * m.a.ld + k],
                       m.b.data[tb ? col * m.b.ld + k : k * m.b.ld + col], sum);
      if (!(std::fabs(m.c.data[row * m.c.ld + col] - sum) <= tolerance))
        return fmt::format("c[{}, {}] is {}, the chain gives {}", row, col,
                           m.c.data[row * m.c.ld + col], sum);
    }
  return "";
}

/// A product on a device, and its operands on the host.
struct Product {
  Device device;
  Shape shape;
  std::vector<float> a, b, bias;
  Buffer<float> a_there, b_there, c, bias_there;
  Matmul there;

  Product(const Shape& s, Device device)
      : device(device),
        shape(s),
        a(random_values(s.m * s.k, 1)),
        b(random_values(s.k * s.n, 2)),
        bias(random_values(s.n, 3)),
        a_there(Buffer<float>::from_host(a, device)),
        b_there(Buffer<float>::from_host(b, device)),
        c(s.m * s.n, device),
        bias_there(Buffer<float>::from_host(bias, device)),
        there(matmul_of(s, a_there.data(), b_there.data(), c.data(), bias_there.data())) {}
  void run() const {
    run_on(device, [&](auto& context) { kernels::matmul(context, there); });
  }
  /// A GPU's library sums in an order of its own.
  std::string check_result() const {
    std::vector<float> result = c.to_host();
    const float tolerance =
        is_gpu(device) ? 4e-7f * std::sqrt(static_cast<float>(shape.k)) * std::log2(shape.k + 2.0f) : 0;
    return check(matmul_of(shape, a.data(), b.data(), result.data(), bias.data()), tolerance);
  }
};

Case one(const std::string& what, const Shape& s, Device device) {
  const auto letter = [](Transpose t) { return t == Transpose::Yes ? 't' : 'n'; };
  Case c;
  c.name = fmt::format("{}/{}/{}{}/{}x{}x{}", area_on("matmul", device), what, letter(s.ta),
                       letter(s.tb), s.m, s.n, s.k);
  c.repeats = repeats_on(device);
  c.gpu = is_gpu(device);
  c.flop = 2.0 * static_cast<double>(s.m * s.n * s.k);
  if (s.m > 10'000)  // else all of it fits the caches
    c.bytes = 4.0 * static_cast<double>(s.m * s.k + s.k * s.n + s.m * s.n);
  c.prepare = [s, device] {
    const auto product = std::make_shared<Product>(s, device);
    return Work{[product] { product->run(); }, [product] { return product->check_result(); }};
  };
  return c;
}

constexpr int64_t kBatch = 256;
constexpr int64_t kSizes[] = {784, 256, 128, 64, 128, 256, 784};

Shape forward(int64_t in, int64_t out) {
  return {kBatch, out, in, Transpose::No, Transpose::Yes, true};
}
Shape grad_weight(int64_t in, int64_t out) {
  return {out, in, kBatch, Transpose::Yes, Transpose::No, false};
}
Shape grad_input(int64_t in, int64_t out) {
  return {kBatch, in, out, Transpose::No, Transpose::No, false};
}

/// All products of one step over the step's own buffers: activations, their gradients, weights and
/// weight gradients. Nothing between the products, so gradients of activations are just numbers.
struct TrainingStep {
  std::vector<std::vector<float>> x, dx, w, dw, bias;
  std::vector<Matmul> products;

  TrainingStep() {
    for (unsigned l = 0; l < std::size(kSizes); ++l) {
      x.push_back(random_values(kBatch * kSizes[l], l));
      dx.push_back(random_values(kBatch * kSizes[l], 10 + l));
    }
    for (unsigned l = 0; l + 1 < std::size(kSizes); ++l) {
      w.push_back(random_values(kSizes[l] * kSizes[l + 1], 20 + l));
      for (float& v : w.back()) v /= std::sqrt(static_cast<float>(kSizes[l]));
      dw.emplace_back(w.back().size());
      bias.push_back(random_values(kSizes[l + 1], 30 + l));
    }
    for (size_t l = 0; l < w.size(); ++l)
      products.push_back(matmul_of(forward(kSizes[l], kSizes[l + 1]), x[l].data(), w[l].data(),
                                   x[l + 1].data(), bias[l].data()));
    for (size_t l = w.size(); l-- > 0;) {
      products.push_back(matmul_of(grad_weight(kSizes[l], kSizes[l + 1]), dx[l + 1].data(),
                                   x[l].data(), dw[l].data(), nullptr));
      if (l > 0)
        products.push_back(matmul_of(grad_input(kSizes[l], kSizes[l + 1]), dx[l + 1].data(),
                                     w[l].data(), dx[l].data(), nullptr));
    }
  }
  void run() const {
    for (const Matmul& m : products) kernels::matmul(cpu_context(), m);
  }
};

Case whole_step() {
  Case c;
  c.name = "matmul/dense_step/batch256";
  for (const Matmul& m : TrainingStep().products) c.flop += flop_of(m);
  c.prepare = [] {
    const auto step = std::make_shared<TrainingStep>();
    return Work{[step] { step->run(); },
                [step] {
                  std::string error;
                  for (const Matmul& m : step->products)
                    if (error.empty()) error = check(m);
                  return error;
                }};
  };
  return c;
}

}  // namespace

std::vector<Case> matmul_cases() {
  std::vector<Case> cases = {whole_step()};
  for (const Device device : bench_devices()) {
    const auto add = [&](const char* what, const Shape& shape) {
      cases.push_back(one(what, shape, device));
    };
    for (size_t l = 0; l + 1 < std::size(kSizes); ++l) {
      add("forward", forward(kSizes[l], kSizes[l + 1]));
      add("grad_weight", grad_weight(kSizes[l], kSizes[l + 1]));
      if (l > 0) add("grad_input", grad_input(kSizes[l], kSizes[l + 1]));
    }
    add("square", {1024, 1024, 1024, Transpose::No, Transpose::No, false});
    add("tall", {65536, 64, 64, Transpose::No, Transpose::Yes, true});
    add("one_row", {1, 784, 256, Transpose::No, Transpose::Yes, true});
  }
  return cases;
}

}  // namespace tessera::bench
