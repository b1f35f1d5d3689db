// The matrix products of one training step of a dense autoencoder, batch 256.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "bench/bench.h"
#include "core/context.h"
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

/// Compares some rows of c bit for bit with the chain of the contract; c was made with beta 0.
std::string check(const Matmul& m) {
  constexpr int64_t kRowsChecked = 16;
  const bool ta = m.ta == Transpose::Yes, tb = m.tb == Transpose::Yes;
  const int64_t rows = std::min(kRowsChecked, m.c.rows), k_count = ta ? m.a.rows : m.a.cols;
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t col = 0, row = i * m.c.rows / rows; col < m.c.cols; ++col) {
      float sum = m.bias.data != nullptr ? m.bias.data[col] : 0;
      for (int64_t k = 0; k < k_count; ++k)
        sum = std::fma(m.a.data[ta ? k * m.a.ld + row : row * m.a.ld + k],
                       m.b.data[tb ? col * m.b.ld + k : k * m.b.ld + col], sum);
      if (m.c.data[row * m.c.ld + col] != sum)
        return fmt::format("c[{}, {}] is {}, the chain gives {}", row, col,
                           m.c.data[row * m.c.ld + col], sum);
    }
  return "";
}

Case one(const std::string& what, const Shape& s) {
  const auto letter = [](Transpose t) { return t == Transpose::Yes ? 't' : 'n'; };
  Case c;
  c.name = fmt::format("matmul/{}/{}{}/{}x{}x{}", what, letter(s.ta), letter(s.tb), s.m, s.n, s.k);
  c.flop = 2.0 * static_cast<double>(s.m * s.n * s.k);
  if (s.m > 10'000)  // else all of it fits the caches
    c.bytes = 4.0 * static_cast<double>(s.m * s.k + s.k * s.n + s.m * s.n);
  c.prepare = [s] {
    struct Operands {
      std::vector<float> a, b, c, bias;
    };
    const auto x = std::make_shared<Operands>(
        Operands{random_values(s.m * s.k, 1), random_values(s.k * s.n, 2),
                 std::vector<float>(s.m * s.n), random_values(s.n, 3)});
    const Matmul m = matmul_of(s, x->a.data(), x->b.data(), x->c.data(), x->bias.data());
    return Work{[x, m] { kernels::matmul(cpu_context(), m); }, [x, m] { return check(m); }};
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
  for (size_t l = 0; l + 1 < std::size(kSizes); ++l) {
    cases.push_back(one("forward", forward(kSizes[l], kSizes[l + 1])));
    cases.push_back(one("grad_weight", grad_weight(kSizes[l], kSizes[l + 1])));
    if (l > 0) cases.push_back(one("grad_input", grad_input(kSizes[l], kSizes[l + 1])));
  }
  cases.push_back(one("square", {1024, 1024, 1024, Transpose::No, Transpose::No, false}));
  cases.push_back(one("tall", {65536, 64, 64, Transpose::No, Transpose::Yes, true}));
  cases.push_back(one("one_row", {1, 784, 256, Transpose::No, Transpose::Yes, true}));
  return cases;
}

}  // namespace tessera::bench
