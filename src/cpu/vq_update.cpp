#define HWY_TARGET_INCLUDE "cpu/vq_update.cpp"
#include "tessera/kernels/vq_update.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "cpu/cpu_context.h"
#include "cpu/simd-inl.h"
#include "cpu/simd_targets.h"
#include "tessera/kernels/permutation.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

/// sums = beta sums + scale * sum of `members` rows, in binary64.
void add_members(const real* rows, int64_t ld, const int32_t* members, int64_t count, int32_t dim,
                 double scale, double beta, real* sums) {
  constexpr int32_t kBlock = 64;
  for (int32_t d0 = 0; d0 < dim; d0 += kBlock) {
    const int32_t dims = std::min(kBlock, dim - d0);
    double total[kBlock] = {};
    for (int64_t i = 0; i < count; ++i) {
      const real* row = rows + members[i] * ld + d0;
      for (int32_t d = 0; d < dims; ++d) total[d] += double(row[d]);
    }
    for (int32_t d = 0; d < dims; ++d) {
      const double old = beta == 0 ? 0.0 : beta * double(sums[d0 + d]);
      sums[d0 + d] = real(std::fma(scale, total[d], old));
    }
  }
}

void ema_group(const VqEmaUpdate& a, const VqGroup& group) {
  const int32_t size = group.codebook_size;
  real* counts = a.counts.data + group.code_begin;
  const real* batch_counts = a.batch_counts.data + group.code_begin;
  double total = 0;
  for (int32_t k = 0; k < size; ++k) {
    counts[k] = std::fma(a.decay, counts[k], (1 - a.decay) * batch_counts[k]);
    total += double(counts[k]);
  }
  for (int32_t k = 0; k < size; ++k) {
    const int64_t first = group.codebook_begin + int64_t{k} * group.dim;
    const double smoothed =
        (double(counts[k]) + double(a.epsilon)) / (total + size * double(a.epsilon)) * total;
    const real inverse = total > 0 ? real(1 / smoothed) : real(0);
    real *sums = a.sums.data + first, *code = a.codebooks.data + first;
    const real* batch_sums = a.batch_sums.data + first;
    for (int32_t d = 0; d < group.dim; ++d)
      sums[d] = std::fma(a.decay, sums[d], (1 - a.decay) * batch_sums[d]);
    if (total > 0)
      for (int32_t d = 0; d < group.dim; ++d) code[d] = sums[d] * inverse;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {
constexpr int64_t kCodeGrain = 16;  // codes per piece of work

/// Rows by code: those of code k are members[begin[k], begin[k + 1]), ascending.
struct ByCode {
  std::vector<int64_t> begin;
  std::vector<int32_t> members;

  ByCode(const MatrixView<const int32_t>& codes, int64_t g, int32_t size)
      : begin(static_cast<size_t>(size) + 1), members(static_cast<size_t>(codes.rows)) {
    for (int64_t n = 0; n < codes.rows; ++n) ++begin[codes.data[n * codes.ld + g] + 1];
    std::partial_sum(begin.begin(), begin.end(), begin.begin());
    std::vector<int64_t> next(begin.begin(), begin.end() - 1);
    for (int64_t n = 0; n < codes.rows; ++n)
      members[next[codes.data[n * codes.ld + g]]++] = static_cast<int32_t>(n);
  }
};
}  // namespace

void vq_lookup(CpuContext& context, const VqLookup& a) {
  context.parallel_ranges("vq_lookup", a.codes.rows, 64, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n)
      for (int32_t g = 0; g < a.groups.count; ++g) {
        const VqGroup& group = a.groups[g];
        const real* code = a.codebooks.data + group.codebook_begin +
                           int64_t{a.codes.data[n * a.codes.ld + g]} * group.dim;
        std::copy(code, code + group.dim,
                  a.quantized.data + n * a.quantized.ld + group.latent_begin);
      }
  });
}

HWY_EXPORT(add_members);
void vq_code_sums(CpuContext& context, const VqCodeSums& a) {
  const auto add = HWY_DYNAMIC_DISPATCH(add_members);
  context.enqueue("vq_code_sums", [&] {
    for (int32_t g = 0; g < a.groups.count; ++g) {
      const VqGroup& group = a.groups[g];
      const ByCode by_code(a.codes, g, group.codebook_size);
      const auto codes = [&](int64_t first, int64_t last) {
        for (int64_t k = first; k < last; ++k) {
          const int64_t begin = by_code.begin[k], count = by_code.begin[k + 1] - begin;
          if (a.counts.data != nullptr) a.counts.data[group.code_begin + k] = real(count);
          if (a.usage.data != nullptr) a.usage.data[group.code_begin + k] += count;
          if (a.sums.data != nullptr)
            add(a.rows.data + group.latent_begin, a.rows.ld, by_code.members.data() + begin, count,
                group.dim, double(a.scale), double(a.beta),
                a.sums.data + group.codebook_begin + k * group.dim);
        }
      };
      const int64_t size = group.codebook_size;
      context.pool().run((size + kCodeGrain - 1) / kCodeGrain, [&](int64_t i) {
        codes(i * kCodeGrain, std::min(size, (i + 1) * kCodeGrain));
      });
    }
  });
}

HWY_EXPORT(ema_group);
void vq_ema_update(CpuContext& context, const VqEmaUpdate& a) {
  const auto update = HWY_DYNAMIC_DISPATCH(ema_group);
  context.parallel_for("vq_ema_update", a.groups.count,
                       [&](int64_t g) { update(a, a.groups[static_cast<int32_t>(g)]); });
}

void vq_count_update(CpuContext& context, const VqCountUpdate& a) {
  context.parallel_ranges("vq_count_update", a.counts.size, 32768, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k)
      a.counts.data[k] = a.decay * a.counts.data[k] + (1 - a.decay) * a.batch_counts.data[k];
  });
}

namespace {
void reset_group(const VqResetDeadCodes& a, int32_t g) {
  const VqGroup& group = a.groups[g];
  const int32_t size = group.codebook_size;
  real* counts = a.counts.data + group.code_begin;
  double total = 0;
  for (int32_t k = 0; k < size; ++k) total += double(counts[k]);
  const double mean = total / size, limit = a.threshold * mean;
  std::vector<int32_t> dead;
  for (int32_t k = 0; k < size; ++k)
    if (double(counts[k]) < limit) dead.push_back(k);
  std::stable_sort(dead.begin(), dead.end(),
                   [&](int32_t left, int32_t right) { return counts[left] < counts[right]; });
  const size_t most = static_cast<size_t>(a.max_fraction * size);
  if (dead.size() > most) dead.resize(most);
  const uint64_t rows = static_cast<uint64_t>(a.latents.rows);
  for (size_t j = 0; j < dead.size(); ++j) {
    const uint64_t n = permuted_index(a.state->seed, kStreamDeadCodes + static_cast<uint32_t>(g),
                                      a.state->step, j % rows, rows);
    const real* row = a.latents.data + static_cast<int64_t>(n) * a.latents.ld + group.latent_begin;
    const int64_t first = group.codebook_begin + int64_t{dead[j]} * group.dim;
    counts[dead[j]] = real(mean);
    for (int32_t d = 0; d < group.dim; ++d) {
      a.codebooks.data[first + d] = row[d];
      if (a.sums.data != nullptr) a.sums.data[first + d] = real(mean) * row[d];
      if (a.first_moment.data != nullptr) a.first_moment.data[first + d] = 0;
      if (a.second_moment.data != nullptr) a.second_moment.data[first + d] = 0;
    }
  }
  a.resets.data[0] += static_cast<int64_t>(dead.size());
}
}  // namespace

void vq_reset_dead_codes(CpuContext& context, const VqResetDeadCodes& a) {
  context.enqueue("vq_reset_dead_codes", [&] {
    if (a.latents.rows == 0 || a.state->step % static_cast<uint64_t>(a.interval) != 0) return;
    for (int32_t g = 0; g < a.groups.count; ++g) reset_group(a, g);  // one counter for all
  });
}

namespace {
void rotate_row(const VqRotationGrad& a, const VqGroup& group, int64_t n) {
  const real* e = a.latents.data + n * a.latents.ld + group.latent_begin;
  const real* q = a.quantized.data + n * a.quantized.ld + group.latent_begin;
  const real* g = a.dy.data + n * a.dy.ld + group.latent_begin;
  real* de = a.dlatents.data + n * a.dlatents.ld + group.latent_begin;
  double ee = 0, qq = 0, eq = 0, eg = 0, qg = 0;
  for (int32_t d = 0; d < group.dim; ++d) {
    ee = std::fma(double(e[d]), double(e[d]), ee);
    qq = std::fma(double(q[d]), double(q[d]), qq);
    eq = std::fma(double(e[d]), double(q[d]), eq);
    eg = std::fma(double(e[d]), double(g[d]), eg);
    qg = std::fma(double(q[d]), double(g[d]), qg);
  }
  const double e_norm = std::sqrt(ee), q_norm = std::sqrt(qq);
  const double cosine = eq / (e_norm * q_norm);
  const bool undefined = e_norm < 1e-30 || q_norm < 1e-30 || e_norm < 1e-12 * q_norm ||
                         q_norm < 1e-12 * e_norm || 1 + cosine < 1e-6;
  const double lambda = undefined ? 1 : q_norm / e_norm;
  // R^T g = g - s / (1 + c) (eh + qh) + 2 eh (qh . g),  s = (eh + qh) . g,  c = eh . qh
  const double shared = undefined ? 0 : (eg / e_norm + qg / q_norm) / (1 + cosine);
  const double along_e = undefined ? 0 : (2 * qg / q_norm - shared) / e_norm;
  const double along_q = undefined ? 0 : -shared / q_norm;
  for (int32_t d = 0; d < group.dim; ++d) {
    const double rotated =
        lambda * (double(g[d]) + along_e * double(e[d]) + along_q * double(q[d]));
    de[d] = real(a.beta == 0 ? rotated : double(a.beta) * double(de[d]) + rotated);
  }
}
}  // namespace

void vq_rotation_grad(CpuContext& context, const VqRotationGrad& a) {
  context.parallel_ranges("vq_rotation_grad", a.dy.rows, 64, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n)
      for (int32_t g = 0; g < a.groups.count; ++g) rotate_row(a, a.groups[g], n);
  });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
