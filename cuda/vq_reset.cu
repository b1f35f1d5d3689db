// Dead codes replaced by rows of the batch: contract in tessera/kernels/vq_update.h.
//
// Mapping    one warp per code, 8 codes per block, in two launches: the first ranks dead codes while
//            nobody writes, the second replaces those with the lowest ranks. Both return at once in
//            steps that check nothing.
// Cost       every `interval` steps: K counts per block of 8 codes, and K more per dead code.
// Exactness  integer ranks, (count, index) ascending; totals in binary64 in a fixed order.

#include "reduce.cuh"
#include "tessera/kernels/permutation.h"
#include "tessera/kernels/vq_update.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

using cuda::kWarpSize;

constexpr int kThreads = VqGroup::kCodesPerTile * kWarpSize;

/// What the first launch leaves for the second.
struct Ranks {
  int32_t* rank;  // [total codes], among the dead codes of its group; -1: alive
  double* mean;   // [groups], of the counts
};

__device__ bool checks_now(const VqResetDeadCodes& a) {
  return a.state->step % static_cast<uint64_t>(a.interval) == 0;
}

__global__ void rank_dead_codes_kernel(VqResetDeadCodes a, Ranks ranks) {
  if (!checks_now(a)) return;  // the whole grid
  const GroupTile at = find_tile(a.groups, VqGroup::kByCode, blockIdx.x);
  const VqGroup group = a.groups[at.group];
  const real* counts = a.counts.data + group.code_begin;
  double part = 0;
  for (int32_t i = threadIdx.x; i < group.codebook_size; i += kThreads) part += double(counts[i]);
  const double mean = cuda::block_sum<kThreads>(part) / group.codebook_size;
  if (at.tile == 0 && threadIdx.x == 0) ranks.mean[at.group] = mean;

  const int32_t k = at.tile * VqGroup::kCodesPerTile + threadIdx.x / kWarpSize;
  if (k >= group.codebook_size) return;  // whole warps; there is no barrier below
  const int lane = threadIdx.x % kWarpSize;
  const real mine = counts[k];
  int32_t before = 0;  // every code before a dead one is dead too
  const bool dead = double(mine) < double(a.threshold) * mean;
  for (int32_t i = lane; dead && i < group.codebook_size; i += kWarpSize)
    before += counts[i] < mine || (counts[i] == mine && i < k);
  before = cuda::warp_sum(before);
  if (lane == 0) ranks.rank[group.code_begin + k] = dead ? before : -1;
}

__global__ void replace_dead_codes_kernel(VqResetDeadCodes a, Ranks ranks) {
  if (!checks_now(a)) return;
  const GroupTile at = find_tile(a.groups, VqGroup::kByCode, blockIdx.x);
  const VqGroup group = a.groups[at.group];
  const int32_t k = at.tile * VqGroup::kCodesPerTile + threadIdx.x / kWarpSize;
  if (k >= group.codebook_size) return;
  const int32_t rank = ranks.rank[group.code_begin + k];
  const auto most = static_cast<int64_t>(double(a.max_fraction) * group.codebook_size);
  if (rank < 0 || rank >= most) return;

  const uint64_t rows = static_cast<uint64_t>(a.latents.rows);
  const uint64_t n =
      permuted_index(a.state->seed, kStreamDeadCodes + static_cast<uint32_t>(at.group),
                     a.state->step, static_cast<uint64_t>(rank) % rows, rows);
  const real* row = a.latents.data + static_cast<int64_t>(n) * a.latents.ld + group.latent_begin;
  const real count = real(ranks.mean[at.group]);
  const int64_t first = group.codebook_begin + int64_t{k} * group.dim;
  for (int32_t d = threadIdx.x % kWarpSize; d < group.dim; d += kWarpSize) {
    a.codebooks.data[first + d] = row[d];
    if (a.sums.data != nullptr) a.sums.data[first + d] = count * row[d];
    if (a.first_moment.data != nullptr) a.first_moment.data[first + d] = 0;
    if (a.second_moment.data != nullptr) a.second_moment.data[first + d] = 0;
  }
  if (threadIdx.x % kWarpSize != 0) return;
  a.counts.data[group.code_begin + k] = count;
  atomicAdd(reinterpret_cast<unsigned long long*>(a.resets.data), 1ull);
}

}  // namespace

void vq_reset_dead_codes(CudaContext& context, const VqResetDeadCodes& a) {
  if (a.latents.rows == 0) return;
  const size_t mean_bytes = static_cast<size_t>(a.groups.count) * sizeof(double);
  const cuda::StepScratch scratch(
      context, mean_bytes + static_cast<size_t>(a.counts.size) * sizeof(int32_t));
  const Ranks ranks = {.rank = reinterpret_cast<int32_t*>(scratch.data<char>() + mean_bytes),
                       .mean = scratch.data<double>()};
  const int64_t tiles = a.groups.tiles[VqGroup::kByCode];
  cuda::launch(context, "rank_dead_codes", rank_dead_codes_kernel, tiles, kThreads, a, ranks);
  cuda::launch(context, "vq_reset_dead_codes", replace_dead_codes_kernel, tiles, kThreads, a,
               ranks);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
