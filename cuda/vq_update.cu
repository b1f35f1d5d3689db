// Code statistics, running averages, lookup, rotation: contracts in tessera/kernels/vq_update.h.
//
// Mapping    lookup, rotation: one warp per (row, group), 8 rows per block. Code sums: one warp per
//            code, 8 codes per block; the block stages 1,024 codes of its group at a time, each warp
//            ballots which rows are its own and adds them, 128 columns at a time. Running averages:
//            a block per group for counts, then a warp per code.
// Cost       code sums: HBM N*D floats and N codes once; L2 N codes per tile of 8 codes and 128
//            columns. A code that owns most rows is one warp's work: N additions in a row.
// Exactness  code sums: binary64, rows ascending, as on the CPU. Totals of counts and products of
//            the rotation: binary64 in a fixed order, so the last bit of a result may differ.

#include "reduce.cuh"
#include "tessera/kernels/vq_update.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

using cuda::kFullWarp;
using cuda::kWarpSize;
using cuda::warp_sum;

constexpr int kWarps = 8;
constexpr int kThreads = kWarps * kWarpSize;
static_assert(VqGroup::kCodesPerTile == kWarps);  // one warp per code of a tile

/// Which row and group a warp works on, in a grid of row tiles x groups.
struct WarpRow {
  int32_t g;
  int64_t n;
  int lane;
};
__device__ WarpRow warp_row(int32_t groups) {
  return {static_cast<int32_t>(blockIdx.x % groups),
          static_cast<int64_t>(blockIdx.x / groups) * kWarps + threadIdx.x / kWarpSize,
          static_cast<int>(threadIdx.x % kWarpSize)};
}
template <class Args>
void launch_rows(CudaContext& context, const char* name, void (*kernel)(Args), int64_t rows,
                 const Args& args) {
  cuda::launch(context, name, kernel, cuda::ceil_div<int64_t>(rows, kWarps) * args.groups.count,
               kThreads, args);
}

__global__ void vq_lookup_kernel(VqLookup a) {
  const auto [g, n, lane] = warp_row(a.groups.count);
  if (n >= a.codes.rows) return;
  const VqGroup group = a.groups[g];
  const real* code = a.codebooks.data + group.codebook_begin +
                     int64_t{a.codes.data[n * a.codes.ld + g]} * group.dim;
  real* row = a.quantized.data + n * a.quantized.ld + group.latent_begin;
  for (int32_t d = lane; d < group.dim; d += kWarpSize) row[d] = code[d];
}

constexpr int kStagedRows = 1024;
constexpr int kSlices = 4;  // columns per lane and pass

/// Calls f(n) for every row whose code is `first + warp`, ascending, for all lanes of the warp.
template <class F>
__device__ void for_rows_of_code(const MatrixView<const int32_t>& codes, int32_t g, int32_t first,
                                 F f) {
  TESSERA_SHARED_ARRAY(int32_t, staged, [kStagedRows]);
  const int warp = threadIdx.x / kWarpSize, lane = threadIdx.x % kWarpSize;
  for (int64_t begin = 0; begin < codes.rows; begin += kStagedRows) {
    const int rows = static_cast<int>(min(int64_t{kStagedRows}, codes.rows - begin));
    __syncthreads();  // the codes of the round before are consumed
    for (int i = threadIdx.x; i < rows; i += kThreads)
      staged[i] = codes.data[(begin + i) * codes.ld + g];
    __syncthreads();  // the codes are in place
    for (int i = 0; i < rows; i += kWarpSize) {
      const bool mine = i + lane < rows && staged[i + lane] == first + warp;
      for (unsigned rest = __ballot_sync(kFullWarp, mine); rest != 0; rest &= rest - 1)
        f(begin + i + __ffs(static_cast<int>(rest)) - 1);
    }
  }
}

__global__ void vq_code_sums_kernel(VqCodeSums a) {
  const GroupTile at = find_tile(a.groups, VqGroup::kByCode, blockIdx.x);
  const VqGroup group = a.groups[at.group];
  const int lane = threadIdx.x % kWarpSize;
  const int32_t first = at.tile * VqGroup::kCodesPerTile;
  const int32_t k = first + static_cast<int32_t>(threadIdx.x / kWarpSize);
  const bool exists = k < group.codebook_size;  // no early exit: all meet the barriers
  int64_t count = 0;
  const int32_t passes = a.sums.data == nullptr ? 1 : group.dim;
  for (int32_t d0 = lane; d0 - lane < passes; d0 += kSlices * kWarpSize) {
    double sum[kSlices] = {};
    count = 0;
    for_rows_of_code(a.codes, at.group, first, [&](int64_t n) {
      ++count;
      if (a.sums.data == nullptr) return;
      const real* row = a.rows.data + n * a.rows.ld + group.latent_begin;
#pragma unroll
      for (int s = 0; s < kSlices; ++s)
        if (d0 + s * kWarpSize < group.dim) sum[s] += double(row[d0 + s * kWarpSize]);
    });
    if (!exists || a.sums.data == nullptr) continue;
    real* sums = a.sums.data + group.codebook_begin + int64_t{k} * group.dim;
#pragma unroll
    for (int s = 0; s < kSlices; ++s) {
      const int32_t d = d0 + s * kWarpSize;
      if (d >= group.dim) continue;
      const double old = a.beta == 0 ? 0.0 : double(a.beta) * double(sums[d]);
      sums[d] = real(fma(double(a.scale), sum[s], old));
    }
  }
  if (!exists || lane != 0) return;
  if (a.counts.data != nullptr) a.counts.data[group.code_begin + k] = real(count);
  if (a.usage.data != nullptr) a.usage.data[group.code_begin + k] += count;
}

__global__ void vq_ema_counts_kernel(VqEmaUpdate a) {
  const VqGroup group = a.groups[blockIdx.x];
  for (int32_t i = threadIdx.x; i < group.codebook_size; i += kThreads) {
    real& count = a.counts.data[group.code_begin + i];
    count = fmaf(a.decay, count, (1 - a.decay) * a.batch_counts.data[group.code_begin + i]);
  }
}

/// After the counts, which every block reads whole to know its group's total.
__global__ void vq_ema_codes_kernel(VqEmaUpdate a) {
  const GroupTile at = find_tile(a.groups, VqGroup::kByCode, blockIdx.x);
  const VqGroup group = a.groups[at.group];
  const real* counts = a.counts.data + group.code_begin;
  double mine = 0;
  for (int32_t i = threadIdx.x; i < group.codebook_size; i += kThreads) mine += double(counts[i]);
  const double total = cuda::block_sum<kThreads>(mine);
  const int32_t k = at.tile * VqGroup::kCodesPerTile + threadIdx.x / kWarpSize;
  if (k >= group.codebook_size) return;
  const double smoothed = (double(counts[k]) + double(a.epsilon)) /
                          (total + group.codebook_size * double(a.epsilon)) * total;
  const real inverse = total > 0 ? real(1 / smoothed) : real(0);
  const int64_t first = group.codebook_begin + int64_t{k} * group.dim;
  for (int32_t d = threadIdx.x % kWarpSize; d < group.dim; d += kWarpSize) {
    real& sum = a.sums.data[first + d];
    sum = fmaf(a.decay, sum, (1 - a.decay) * a.batch_sums.data[first + d]);
    if (total > 0) a.codebooks.data[first + d] = sum * inverse;
  }
}

__global__ void vq_count_update_kernel(VqCountUpdate a) {
  cuda::for_elements(a.counts.size, [&](int64_t k) {
    a.counts.data[k] = a.decay * a.counts.data[k] + (1 - a.decay) * a.batch_counts.data[k];
  });
}

__global__ void vq_rotation_grad_kernel(VqRotationGrad a) {
  const auto [g_index, n, lane] = warp_row(a.groups.count);
  if (n >= a.dy.rows) return;  // whole warps; there is no barrier below
  const VqGroup group = a.groups[g_index];
  const real* e = a.latents.data + n * a.latents.ld + group.latent_begin;
  const real* q = a.quantized.data + n * a.quantized.ld + group.latent_begin;
  const real* g = a.dy.data + n * a.dy.ld + group.latent_begin;
  real* de = a.dlatents.data + n * a.dlatents.ld + group.latent_begin;
  double ee = 0, qq = 0, eq = 0, eg = 0, qg = 0;
  for (int32_t d = lane; d < group.dim; d += kWarpSize) {
    const double e_d = double(e[d]), q_d = double(q[d]), g_d = double(g[d]);
    ee = fma(e_d, e_d, ee);
    qq = fma(q_d, q_d, qq);
    eq = fma(e_d, q_d, eq);
    eg = fma(e_d, g_d, eg);
    qg = fma(q_d, g_d, qg);
  }
  const double e_norm = sqrt(warp_sum(ee)), q_norm = sqrt(warp_sum(qq));
  const double cosine = warp_sum(eq) / (e_norm * q_norm);
  const double along_eh = warp_sum(eg) / e_norm, along_qh = warp_sum(qg) / q_norm;
  const bool undefined = e_norm < 1e-30 || q_norm < 1e-30 || e_norm < 1e-12 * q_norm ||
                         q_norm < 1e-12 * e_norm || 1 + cosine < 1e-6;
  const double lambda = undefined ? 1 : q_norm / e_norm;
  // R^T g = g - s / (1 + c) (eh + qh) + 2 eh (qh . g),  s = (eh + qh) . g,  c = eh . qh
  const double shared = undefined ? 0 : (along_eh + along_qh) / (1 + cosine);
  const double along_e = undefined ? 0 : (2 * along_qh - shared) / e_norm;
  const double along_q = undefined ? 0 : -shared / q_norm;
  for (int32_t d = lane; d < group.dim; d += kWarpSize) {
    const double rotated =
        lambda * (double(g[d]) + along_e * double(e[d]) + along_q * double(q[d]));
    de[d] = real(a.beta == 0 ? rotated : double(a.beta) * double(de[d]) + rotated);
  }
}

}  // namespace

void vq_lookup(CudaContext& context, const VqLookup& a) {
  launch_rows(context, "vq_lookup", vq_lookup_kernel, a.codes.rows, a);
}
void vq_code_sums(CudaContext& context, const VqCodeSums& a) {
  cuda::launch(context, "vq_code_sums", vq_code_sums_kernel, a.groups.tiles[VqGroup::kByCode],
               kThreads, a);
}
void vq_ema_update(CudaContext& context, const VqEmaUpdate& a) {
  cuda::launch(context, "vq_ema_counts", vq_ema_counts_kernel, a.groups.count, kThreads, a);
  cuda::launch(context, "vq_ema_codes", vq_ema_codes_kernel, a.groups.tiles[VqGroup::kByCode],
               kThreads, a);
}
void vq_count_update(CudaContext& context, const VqCountUpdate& a) {
  cuda::launch_elements(context, "vq_count_update", vq_count_update_kernel, a.counts.size, a);
}
void vq_rotation_grad(CudaContext& context, const VqRotationGrad& a) {
  launch_rows(context, "vq_rotation_grad", vq_rotation_grad_kernel, a.dy.rows, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
