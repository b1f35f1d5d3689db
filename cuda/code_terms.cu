// Terms of the loss that look at whole codebooks: contracts in tessera/kernels/code_terms.h.
//
// Mapping    orthogonality: a block per 8 codes, a warp per code, lanes over the other codes.
//            Entropy: a block per 8 codes, a warp per code, which walks the rows; the softmax's
//            denominators come from a launch before it, a warp per row and codebook.
// Cost       orthogonality: G*K*K*D multiply-adds twice. Entropy: 3*N*K*D and 2*N*K exponentials,
//            all in binary64: for tokenizers' codebooks of tens of codes.
// Exactness  binary64 in an order fixed by the sizes.

#include "launch.cuh"
#include "reduce.cuh"
#include "tessera/kernels/code_terms.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

using cuda::kWarpSize;

constexpr int kWarps = VqGroup::kCodesPerTile, kThreads = kWarps * kWarpSize;

__device__ int lane_of() { return static_cast<int>(threadIdx.x) % kWarpSize; }

/// The code of this warp.
struct WarpCode {
  VqGroup group;
  int32_t g, k;
  bool exists;
};
__device__ WarpCode warp_code(const Groups<VqGroup>& groups) {
  const GroupTile at = find_tile(groups, VqGroup::kByCode, blockIdx.x);
  const VqGroup group = groups[at.group];
  const int32_t k =
      at.tile * VqGroup::kCodesPerTile + static_cast<int32_t>(threadIdx.x) / kWarpSize;
  return {group, at.group, k, k < group.codebook_size};
}

__device__ double dot(const float* x, const float* y, int32_t dim) {
  double sum = 0;
  for (int32_t d = 0; d < dim; ++d) sum = fma(double(x[d]), double(y[d]), sum);
  return sum;
}

/// Cosine of two codes; 0 where one has no direction.
__device__ double cosine_of(const float* x, double x_norm, const float* y, int32_t dim) {
  const double y_norm = sqrt(dot(y, y, dim));
  return x_norm > 0 && y_norm > 0 ? dot(x, y, dim) / (x_norm * y_norm) : 0;
}

/// [total codes] sums over the other codes of the squared cosine.
__global__ void code_cosines_kernel(CodeOrthogonality a, double* sums) {
  const WarpCode me = warp_code(a.groups);
  if (!me.exists) return;  // whole warps; there is no barrier below
  const float* book = a.codebooks.data + me.group.codebook_begin;
  const float* own = book + int64_t{me.k} * me.group.dim;
  const double norm = sqrt(dot(own, own, me.group.dim));
  double sum = 0;
  for (int32_t j = lane_of(); j < me.group.codebook_size; j += kWarpSize) {
    if (j == me.k) continue;
    const double cosine = cosine_of(own, norm, book + int64_t{j} * me.group.dim, me.group.dim);
    sum += cosine * cosine;
  }
  sum = cuda::warp_sum(sum);
  if (lane_of() == 0) sums[me.group.code_begin + me.k] = sum;
}

/// One thread: G sums of K values.
__global__ void sum_cosines_kernel(CodeOrthogonality a, const double* sums) {
  double total = 0;
  for (int32_t g = 0; g < a.groups.count; ++g) {
    const VqGroup group = a.groups[g];
    double sum = 0;
    for (int32_t k = 0; k < group.codebook_size; ++k) sum += sums[group.code_begin + k];
    const double size = group.codebook_size;
    a.parts.data[g] = group.codebook_size < 2 ? 0 : sum / (size * (size - 1));
    total += a.parts.data[g];
  }
  a.loss.data[0] = real(total / a.groups.count);
}

__global__ void code_orthogonality_grad_kernel(CodeOrthogonalityGrad a) {
  const WarpCode me = warp_code(a.groups);
  const int32_t size = me.group.codebook_size, dim = me.group.dim;
  if (!me.exists || size < 2) return;  // whole warps; there is no barrier below
  const float* book = a.codebooks.data + me.group.codebook_begin;
  const float* own = book + int64_t{me.k} * dim;
  const double norm = sqrt(dot(own, own, dim));
  if (!(norm > 0)) return;
  const double scale =
      double(a.dloss.data[0]) * 4 / (double(a.groups.count) * double(size) * (double(size) - 1));
  float* out = a.dcodebooks.data + me.group.codebook_begin + int64_t{me.k} * dim;
  for (int32_t d = lane_of(); d < dim; d += kWarpSize) {
    double pull = 0;
    for (int32_t j = 0; j < size; ++j) {
      if (j == me.k) continue;
      const float* other = book + int64_t{j} * dim;
      const double other_norm = sqrt(dot(other, other, dim));
      if (!(other_norm > 0)) continue;
      const double cosine = dot(own, other, dim) / (norm * other_norm);
      pull += cosine * (double(other[d]) / other_norm - cosine * double(own[d]) / norm);
    }
    out[d] = real(double(out[d]) + scale * pull / norm);
  }
}

__device__ double scaled_distance(const float* z, const float* e, int32_t dim, double temperature) {
  double sum = 0;
  for (int32_t d = 0; d < dim; ++d) {
    const double t = double(z[d]) - double(e[d]);
    sum = fma(t, t, sum);
  }
  return sum / (temperature * dim);
}

/// Least scaled distance and sum of exponentials of each row and codebook: what a softmax divides by.
struct Softmax {
  double least, sum;
};

__global__ void softmax_kernel(Groups<VqGroup> groups, MatrixView<const real> latents,
                               VectorView<const real> codebooks, double temperature, Softmax* out) {
  const int64_t warp = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / kWarpSize;
  const int64_t n = warp / groups.count;
  const int32_t g = static_cast<int32_t>(warp % groups.count);
  if (n >= latents.rows) return;  // whole warps; there is no barrier below
  const VqGroup group = groups[g];
  const float* z = latents.data + n * latents.ld + group.latent_begin;
  const float* book = codebooks.data + group.codebook_begin;
  double least = INFINITY, sum = 0;
  for (int32_t k = lane_of(); k < group.codebook_size; k += kWarpSize)
    least = min(least, scaled_distance(z, book + int64_t{k} * group.dim, group.dim, temperature));
  for (int offset = kWarpSize / 2; offset > 0; offset /= 2)
    least = min(least, __shfl_xor_sync(cuda::kFullWarp, least, offset));
  for (int32_t k = lane_of(); k < group.codebook_size; k += kWarpSize)
    sum += exp(least - scaled_distance(z, book + int64_t{k} * group.dim, group.dim, temperature));
  sum = cuda::warp_sum(sum);
  if (lane_of() == 0) out[n * groups.count + g] = {least, sum};
}

__global__ void code_use_kernel(CodeEntropy a, const Softmax* softmax) {
  const WarpCode me = warp_code(a.groups);
  if (!me.exists) return;  // whole warps; there is no barrier below
  const float* e = a.codebooks.data + me.group.codebook_begin + int64_t{me.k} * me.group.dim;
  double sum = 0;
  for (int64_t n = lane_of(); n < a.latents.rows; n += kWarpSize) {
    const float* z = a.latents.data + n * a.latents.ld + me.group.latent_begin;
    const Softmax row = softmax[n * a.groups.count + me.g];
    sum += exp(row.least - scaled_distance(z, e, me.group.dim, double(a.temperature))) / row.sum;
  }
  sum = cuda::warp_sum(sum);
  if (lane_of() == 0)
    a.use.data[me.group.code_begin + me.k] =
        a.latents.rows > 0 ? sum / static_cast<double>(a.latents.rows) : 0;
}

/// One thread: G entropies of K values.
__global__ void sum_entropies_kernel(CodeEntropy a) {
  double total = 0;
  for (int32_t g = 0; g < a.groups.count; ++g) {
    const VqGroup group = a.groups[g];
    double entropy = 0;
    for (int32_t k = 0; k < group.codebook_size; ++k) {
      const double p = a.use.data[group.code_begin + k];
      if (p > 0) entropy -= p * log(p);
    }
    a.parts.data[g] = a.latents.rows > 0 ? log(double(group.codebook_size)) - entropy : 0;
    total += a.parts.data[g];
  }
  a.loss.data[0] = real(total / a.groups.count);
}

__device__ double log_use(const VectorView<const double>& use, int64_t code) {
  const double p = use.data[code];
  return p > 0 ? log(p) : 0;
}

/// A warp per row and codebook, lanes over the columns.
__global__ void code_entropy_grad_kernel(CodeEntropyGrad a, const Softmax* softmax) {
  const int64_t warp = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / kWarpSize;
  const int64_t n = warp / a.groups.count;
  const int32_t g = static_cast<int32_t>(warp % a.groups.count);
  if (n >= a.latents.rows) return;  // whole warps; there is no barrier below
  const VqGroup group = a.groups[g];
  const float* z = a.latents.data + n * a.latents.ld + group.latent_begin;
  const float* book = a.codebooks.data + group.codebook_begin;
  const Softmax row = softmax[n * a.groups.count + g];
  const auto soft = [&](int32_t k) {
    const float* e = book + int64_t{k} * group.dim;
    return exp(row.least - scaled_distance(z, e, group.dim, double(a.temperature))) / row.sum;
  };
  double mean = 0;
  for (int32_t k = lane_of(); k < group.codebook_size; k += kWarpSize)
    mean += soft(k) * log_use(a.use, group.code_begin + k);
  mean = cuda::warp_sum(mean);
  const double scale = double(a.dloss.data[0]) * 2 /
                       (double(a.groups.count) * static_cast<double>(a.latents.rows) *
                        double(a.temperature) * group.dim);
  float* out = a.dlatents.data + n * a.dlatents.ld + group.latent_begin;
  for (int32_t d = lane_of(); d < group.dim; d += kWarpSize) {
    double pull = 0;
    for (int32_t k = 0; k < group.codebook_size; ++k)
      pull += soft(k) * (log_use(a.use, group.code_begin + k) - mean) *
              (double(book[int64_t{k} * group.dim + d]) - double(z[d]));
    const double value = scale * pull;
    out[d] = real(a.beta == 0 ? value : double(a.beta) * double(out[d]) + value);
  }
}

void launch_softmax(CudaContext& context, const Groups<VqGroup>& groups,
                    const MatrixView<const real>& latents, const VectorView<const real>& codebooks,
                    real temperature, Softmax* out) {
  cuda::launch(context, "code_softmax", softmax_kernel,
               cuda::ceil_div<int64_t>(latents.rows * groups.count, kWarps), kThreads, groups,
               latents, codebooks, double(temperature), out);
}

}  // namespace

void code_orthogonality(CudaContext& context, const CodeOrthogonality& a) {
  const int64_t tiles = a.groups.tiles[VqGroup::kByCode];
  const cuda::StepScratch scratch(context, static_cast<size_t>(tiles * kWarps) * sizeof(double));
  cuda::launch(context, "code_cosines", code_cosines_kernel, tiles, kThreads, a,
               scratch.data<double>());
  cuda::launch(context, "code_orthogonality", sum_cosines_kernel, 1, 1, a, scratch.data<double>());
}

void code_orthogonality_grad(CudaContext& context, const CodeOrthogonalityGrad& a) {
  cuda::launch(context, "code_orthogonality_grad", code_orthogonality_grad_kernel,
               a.groups.tiles[VqGroup::kByCode], kThreads, a);
}

void code_entropy(CudaContext& context, const CodeEntropy& a) {
  const cuda::StepScratch scratch(
      context, static_cast<size_t>(a.latents.rows * a.groups.count) * sizeof(Softmax) + 1);
  Softmax* softmax = scratch.data<Softmax>();
  launch_softmax(context, a.groups, a.latents, a.codebooks, a.temperature, softmax);
  cuda::launch(context, "code_use", code_use_kernel, a.groups.tiles[VqGroup::kByCode], kThreads, a,
               softmax);
  cuda::launch(context, "code_entropy", sum_entropies_kernel, 1, 1, a);
}

void code_entropy_grad(CudaContext& context, const CodeEntropyGrad& a) {
  const cuda::StepScratch scratch(
      context, static_cast<size_t>(a.latents.rows * a.groups.count) * sizeof(Softmax) + 1);
  Softmax* softmax = scratch.data<Softmax>();
  launch_softmax(context, a.groups, a.latents, a.codebooks, a.temperature, softmax);
  cuda::launch(context, "code_entropy_grad", code_entropy_grad_kernel,
               cuda::ceil_div<int64_t>(a.latents.rows * a.groups.count, kWarps), kThreads, a,
               softmax);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
