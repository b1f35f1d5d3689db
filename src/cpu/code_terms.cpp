// Terms of the loss that look at whole codebooks: contracts in tessera/kernels/code_terms.h.
//
// Mapping    codebooks over the threads; for the entropy's gradient, rows.
// Cost       orthogonality: G*K*K*D, a fraction of a percent of a step at the sizes of tokenizers.
//            Entropy: 2*N*K*D and N*K exponentials, again for the gradient.
// Exactness  binary64, in the order of the formulas.

#define HWY_TARGET_INCLUDE "cpu/code_terms.cpp"
#include "cpu/simd_targets.h"
// First the targets, then all else.
#include <algorithm>
#include <cmath>
#include <vector>

#include "cpu/cpu_context.h"
#include "cpu/simd-inl.h"
#include "tessera/kernels/code_terms.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

double dot_lanes(const real* x, const real* y, int64_t n) {
  return fold_lanes(n, [=](auto d, int64_t i, auto acc) HWY_ATTR {
    return mul_add(load_double(d, x + i), load_double(d, y + i), acc);
  });
}

/// Sum of squares of <own, turned_j> over j < count; `turned` is [dim, pitch], own is [dim].
double square_products(const double* own, const double* turned, int64_t dim, int64_t pitch,
                       int64_t count) {
  return fold_lanes(count, [=](auto d, int64_t j, auto acc) HWY_ATTR {
    auto product = hn::Zero(d);
    for (int64_t i = 0; i < dim; ++i)
      product = mul_add(hn::Set(d, own[i]), hn::LoadU(d, turned + i * pitch + j), product);
    return mul_add(product, product, acc);
  });
}

double square_distance(const real* x, const real* y, int64_t n) {
  return fold_lanes(n, [=](auto d, int64_t i, auto acc) HWY_ATTR {
    const auto t = hn::Sub(load_double(d, x + i), load_double(d, y + i));
    return mul_add(t, t, acc);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {

HWY_EXPORT(dot_lanes);
HWY_EXPORT(square_products);
HWY_EXPORT(square_distance);

namespace {

const real* code(const VectorView<const real>& codebooks, const VqGroup& group, int32_t k) {
  return codebooks.data + group.codebook_begin + int64_t{k} * group.dim;
}

/// Norms of a codebook's codes.
std::vector<double> norms_of(const VectorView<const real>& codebooks, const VqGroup& group) {
  const auto dot = HWY_DYNAMIC_DISPATCH(dot_lanes);
  std::vector<double> norms;
  for (int32_t k = 0; k < group.codebook_size; ++k) {
    const real* e = code(codebooks, group, k);
    norms.push_back(std::sqrt(dot(e, e, group.dim)));
  }
  return norms;
}

double orthogonality_of(const VectorView<const real>& codebooks, const VqGroup& group) {
  const auto products = HWY_DYNAMIC_DISPATCH(square_products);
  const int64_t size = group.codebook_size, dim = group.dim;
  if (size < 2) return 0;
  const std::vector<double> norms = norms_of(codebooks, group);
  // Unit codes, and the same transposed: a code's cosines with all before it are one stream. A code
  // without a direction has the cosine 0 with all.
  std::vector<double> unit(static_cast<size_t>(size * dim)), turned(unit.size());
  for (int64_t k = 0; k < size; ++k)
    for (int64_t i = 0; i < dim && norms[k] > 0; ++i)
      unit[k * dim + i] = turned[i * size + k] =
          double(code(codebooks, group, static_cast<int32_t>(k))[i]) / norms[k];
  double sum = 0;
  for (int64_t k = 1; k < size; ++k)
    sum += products(unit.data() + k * dim, turned.data(), dim, size, k);
  return 2 * sum / (double(size) * (size - 1));
}

void orthogonality_grad(const CodeOrthogonalityGrad& a, const VqGroup& group) {
  const auto dot = HWY_DYNAMIC_DISPATCH(dot_lanes);
  const int32_t size = group.codebook_size;
  if (size < 2) return;
  const std::vector<double> norms = norms_of(a.codebooks, group);
  const double scale = double(a.dloss.data[0]) * 4 / (double(a.groups.count) * size * (size - 1));
  std::vector<double> pull(static_cast<size_t>(group.dim));
  for (int32_t i = 0; i < size; ++i) {
    if (!(norms[i] > 0)) continue;
    const real* own = code(a.codebooks, group, i);
    std::fill(pull.begin(), pull.end(), 0.0);
    for (int32_t j = 0; j < size; ++j) {
      if (j == i || !(norms[j] > 0)) continue;
      const real* other = code(a.codebooks, group, j);
      const double cosine = dot(own, other, group.dim) / (norms[i] * norms[j]);
      for (int32_t d = 0; d < group.dim; ++d)
        pull[d] += cosine * (double(other[d]) / norms[j] - cosine * double(own[d]) / norms[i]);
    }
    real* out = a.dcodebooks.data + group.codebook_begin + int64_t{i} * group.dim;
    for (int32_t d = 0; d < group.dim; ++d)
      out[d] = real(double(out[d]) + scale * pull[d] / norms[i]);
  }
}

/// s[n, .] of one row, into `soft` [K].
void soft_row(const MatrixView<const real>& latents, const VectorView<const real>& codebooks,
              const VqGroup& group, double temperature, int64_t n, double* soft) {
  const auto distance = HWY_DYNAMIC_DISPATCH(square_distance);
  const real* z = latents.data + n * latents.ld + group.latent_begin;
  double least = std::numeric_limits<double>::infinity();
  for (int32_t k = 0; k < group.codebook_size; ++k) {
    soft[k] = distance(z, code(codebooks, group, k), group.dim) / (temperature * group.dim);
    least = std::min(least, soft[k]);
  }
  double sum = 0;
  for (int32_t k = 0; k < group.codebook_size; ++k) {
    soft[k] = std::exp(least - soft[k]);
    sum += soft[k];
  }
  for (int32_t k = 0; k < group.codebook_size; ++k) soft[k] /= sum;
}

void entropy_of(const CodeEntropy& a, int64_t g) {
  const VqGroup& group = a.groups[static_cast<int32_t>(g)];
  const int32_t size = group.codebook_size;
  std::vector<double> soft(static_cast<size_t>(size)), use(static_cast<size_t>(size));
  for (int64_t n = 0; n < a.latents.rows; ++n) {
    soft_row(a.latents, a.codebooks, group, double(a.temperature), n, soft.data());
    for (int32_t k = 0; k < size; ++k) use[k] += soft[k];
  }
  double entropy = 0;
  for (int32_t k = 0; k < size; ++k) {
    const double p = use[k] / static_cast<double>(std::max<int64_t>(1, a.latents.rows));
    a.use.data[group.code_begin + k] = p;
    if (p > 0) entropy -= p * std::log(p);
  }
  a.parts.data[g] = a.latents.rows > 0 ? std::log(double(size)) - entropy : 0;
}

void entropy_grad_row(const CodeEntropyGrad& a, const VqGroup& group, int64_t n,
                      std::vector<double>& soft, std::vector<double>& pull) {
  const int32_t size = group.codebook_size;
  soft.resize(static_cast<size_t>(size));
  pull.assign(static_cast<size_t>(group.dim), 0.0);
  soft_row(a.latents, a.codebooks, group, double(a.temperature), n, soft.data());
  // dL/dp_k = ln p_k + 1; the 1 goes with the softmax, whose sum is fixed.
  const auto slope = [&](int32_t k) {
    const double p = a.use.data[group.code_begin + k];
    return p > 0 ? std::log(p) : 0.0;
  };
  double mean = 0;
  for (int32_t k = 0; k < size; ++k) mean += soft[k] * slope(k);
  const real* z = a.latents.data + n * a.latents.ld + group.latent_begin;
  for (int32_t k = 0; k < size; ++k) {
    const double weight = soft[k] * (slope(k) - mean);
    const real* e = code(a.codebooks, group, k);
    for (int32_t d = 0; d < group.dim; ++d) pull[d] += weight * (double(e[d]) - double(z[d]));
  }
  const double scale = double(a.dloss.data[0]) * 2 /
                       (double(a.groups.count) * static_cast<double>(a.latents.rows) *
                        double(a.temperature) * group.dim);
  real* out = a.dlatents.data + n * a.dlatents.ld + group.latent_begin;
  for (int32_t d = 0; d < group.dim; ++d) {
    const double value = scale * pull[d];
    out[d] = real(a.beta == 0 ? value : double(a.beta) * double(out[d]) + value);
  }
}

void store_mean(const VectorView<double>& parts, const VectorView<real>& loss) {
  double sum = 0;
  for (int64_t g = 0; g < parts.size; ++g) sum += parts.data[g];
  loss.data[0] = real(sum / static_cast<double>(parts.size));
}

}  // namespace

void code_orthogonality(CpuContext& context, const CodeOrthogonality& a) {
  context.enqueue("code_orthogonality", [&] {
    context.pool().run(a.groups.count, [&](int64_t g) {
      a.parts.data[g] = orthogonality_of(a.codebooks, a.groups[static_cast<int32_t>(g)]);
    });
    store_mean(a.parts, a.loss);
  });
}

void code_orthogonality_grad(CpuContext& context, const CodeOrthogonalityGrad& a) {
  context.parallel_for("code_orthogonality_grad", a.groups.count, [&](int64_t g) {
    orthogonality_grad(a, a.groups[static_cast<int32_t>(g)]);
  });
}

void code_entropy(CpuContext& context, const CodeEntropy& a) {
  context.enqueue("code_entropy", [&] {
    context.pool().run(a.groups.count, [&](int64_t g) { entropy_of(a, g); });
    store_mean(a.parts, a.loss);
  });
}

void code_entropy_grad(CpuContext& context, const CodeEntropyGrad& a) {
  context.parallel_ranges("code_entropy_grad", a.latents.rows, 32, [&](int64_t begin, int64_t end) {
    std::vector<double> soft, pull;
    for (int64_t n = begin; n < end; ++n)
      for (int32_t g = 0; g < a.groups.count; ++g) entropy_grad_row(a, a.groups[g], n, soft, pull);
  });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
