// Nearest-code assignment: contract in tessera/kernels/vq_assign.h.
//
// Mapping    blocks = tiles of 64 rows x groups. 256 threads screen 64 rows x 64 codes at a time in
//            float32, 4 x 4 pairs per thread, both operands passing through shared memory 16
//            dimensions at a time; 16 lanes then agree on each row. What screening cannot decide,
//            one warp per row decides in binary64.
// Cost       2*N*K*D float instructions (subtract, fma). HBM: N*D floats in, the outputs out;
//            L2: (N / 64)*K*D floats. Bound by float instructions above D = 8 or so.
// Exactness  the contract's codes, bit for bit. Let D be a distance in real numbers, S the screened
//            one (an fma chain of squared float differences), B the contract's binary64 one, and
//            u = 2^-24. Every term is positive, so
//              |S - D| <= g D + t,   g = (d + 2) u / (1 - (d + 2) u),   t = d 2^-149 (underflow)
//              |B - D| <= (d + 2) 2^-53 / (1 - (d + 2) 2^-53) D
//            A code whose B is the least therefore has S <= (1 + 4 (d + 4) u) S_best + (d + 4) 2^-147
//            for any code's S as S_best (d <= 2^18). Where one code alone lies below that, it is the
//            answer; else all below it are compared by B. Squared differences, not |z|^2 - 2 z e:
//            the bound is relative to the distance itself, so a row has more than one candidate
//            about once in 10^4, wherever its origin lies.
//            Distances above 10^37, not finite, or more dimensions: all codes are compared by B.

#include "launch.cuh"
#include "tessera/kernels/vq_assign.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

constexpr int kTile = 64;  // rows, and codes
constexpr int kTileDims = 16;
constexpr int kPitch = kTile + 4;  // a multiple of 4: float4 loads; not of 32: spreads banks
constexpr int kPerThread = 4;
constexpr int kSide = kTile / kPerThread;  // threads per side of a tile
constexpr int kThreads = kSide * kSide;
constexpr int kWarps = kThreads / cuda::kWarpSize;
constexpr int kMaxScreenedDim = 1 << 18;
constexpr float kMaxScreened = 1e37f;

__device__ bool is_finite(float x) { return x - x == 0; }

/// The two smallest screened distances seen, and the code of the smaller.
struct Nearest {
  float best = INFINITY, second = INFINITY;
  int32_t code = 0;

  __device__ void add(float dist, int32_t k) {  // k ascending; a NaN is never added
    if (dist < best) {
      second = best;
      best = dist;
      code = k;
    } else if (dist < second) {
      second = dist;
    }
  }
  __device__ void merge(float other_best, float other_second, int32_t other_code) {
    const float larger = max(best, other_best);
    second = min(larger, min(second, other_second));
    if (other_best < best || (other_best == best && other_code < code)) code = other_code;
    best = min(best, other_best);
  }
};

/// Screened distances at or below this may belong to the nearest code; INFINITY: any may.
__device__ float candidate_limit(float best, int32_t dim) {
  if (!(best < kMaxScreened) || dim > kMaxScreenedDim) return INFINITY;
  const float slack = static_cast<float>(dim + 4);
  return fmaf(best, 4 * slack * 0x1p-24f, best) + slack * 0x1p-147f;
}

/// Stages dimensions [begin, begin + kTileDims) of kTile vectors, transposed; 0 beyond the ends.
__device__ void load_tile(float (&tile)[kTileDims][kPitch], const float* vectors, int64_t ld,
                          int count, int begin, int dim) {
  for (int i = threadIdx.x; i < kTile * kTileDims; i += kThreads) {
    const int d = i % kTileDims, v = i / kTileDims;
    tile[d][v] = v < count && begin + d < dim ? vectors[v * ld + begin + d] : 0.0f;
  }
}

/// Adds the squared differences of the staged dimensions to this thread's pairs.
__device__ void add_squares(const float (&rows)[kTileDims][kPitch],
                            const float (&codes)[kTileDims][kPitch], int dims,
                            float (&dist)[kPerThread][kPerThread]) {
  const int row = threadIdx.x / kSide * kPerThread, code = threadIdx.x % kSide * kPerThread;
  for (int d = 0; d < dims; ++d) {
    const float4 r = *reinterpret_cast<const float4*>(&rows[d][row]);
    const float4 c = *reinterpret_cast<const float4*>(&codes[d][code]);
    const float z[] = {r.x, r.y, r.z, r.w}, e[] = {c.x, c.y, c.z, c.w};
#pragma unroll
    for (int i = 0; i < kPerThread; ++i)
#pragma unroll
      for (int j = 0; j < kPerThread; ++j) {
        const float diff = z[i] - e[j];
        dist[i][j] = fmaf(diff, diff, dist[i][j]);
      }
  }
}

/// The contract's distance.
__device__ double exact_distance(const float* latent, const float* code, int32_t dim) {
  double sum = 0;
  for (int32_t d = 0; d < dim; ++d) {
    const double diff = double(latent[d]) - double(code[d]);
    sum = fma(diff, diff, sum);
  }
  return sum;
}

/// The nearest code by binary64 among those whose screened distance is at most `limit`; 0 where the
/// row is not finite, or no code is. All lanes of a warp call it; all get the answer.
__device__ int32_t decide(const float* latent, const float* codebook, const VqGroup& group,
                          float limit, bool& row_is_finite) {
  const int lane = threadIdx.x % cuda::kWarpSize;
  bool finite = true;
  for (int32_t d = lane; d < group.dim; d += cuda::kWarpSize)
    finite = finite && is_finite(latent[d]);
  row_is_finite = !__any_sync(cuda::kFullWarp, !finite);
  double best = INFINITY;
  int32_t best_code = group.codebook_size;
  for (int32_t k = lane; k < group.codebook_size; k += cuda::kWarpSize) {
    const float* code = codebook + int64_t{k} * group.dim;
    float screened = 0;
    for (int32_t d = 0; d < group.dim && limit < INFINITY; ++d) {
      const float diff = latent[d] - code[d];
      screened = fmaf(diff, diff, screened);
    }
    if (!(screened <= limit)) continue;
    const double dist = exact_distance(latent, code, group.dim);
    if (dist < best) {
      best = dist;
      best_code = k;
    }
  }
  for (int offset = cuda::kWarpSize / 2; offset > 0; offset /= 2) {
    const double other = __shfl_xor_sync(cuda::kFullWarp, best, offset);
    const int32_t other_code = __shfl_xor_sync(cuda::kFullWarp, best_code, offset);
    if (other < best || (other == best && other_code < best_code)) {
      best = other;
      best_code = other_code;
    }
  }
  return row_is_finite && best_code < group.codebook_size ? best_code : 0;
}

/// The two smallest screened distances of this thread's four rows, over all codes. All threads.
__device__ void screen(const float* latents, int64_t ld, int rows, const float* codebook,
                       const VqGroup& group, Nearest (&nearest)[kPerThread]) {
  TESSERA_SHARED_ARRAY(float, row_tile, [kTileDims][kPitch]);
  TESSERA_SHARED_ARRAY(float, code_tile, [kTileDims][kPitch]);
  for (int32_t first = 0; first < group.codebook_size; first += kTile) {
    const int count = min(kTile, group.codebook_size - first);
    float dist[kPerThread][kPerThread] = {};
    for (int begin = 0; begin < group.dim; begin += kTileDims) {
      __syncthreads();  // the tiles of the round before are consumed
      load_tile(row_tile, latents, ld, rows, begin, group.dim);
      load_tile(code_tile, codebook + int64_t{first} * group.dim, group.dim, count, begin,
                group.dim);
      __syncthreads();  // both tiles are complete
      add_squares(row_tile, code_tile, min(kTileDims, group.dim - begin), dist);
    }
    const int local = threadIdx.x % kSide * kPerThread;
#pragma unroll
    for (int i = 0; i < kPerThread; ++i)
#pragma unroll
      for (int j = 0; j < kPerThread; ++j)
        if (local + j < count) nearest[i].add(dist[i][j], first + local + j);
  }
#pragma unroll
  for (int i = 0; i < kPerThread; ++i)
    for (int offset = kSide / 2; offset > 0; offset /= 2)  // the kSide lanes that share rows
      nearest[i].merge(__shfl_xor_sync(cuda::kFullWarp, nearest[i].best, offset),
                       __shfl_xor_sync(cuda::kFullWarp, nearest[i].second, offset),
                       __shfl_xor_sync(cuda::kFullWarp, nearest[i].code, offset));
}

__global__ void vq_assign_kernel(VqAssign args) {
  TESSERA_SHARED_ARRAY(int32_t, found, [kTile]);  // by row: its code, as screened
  TESSERA_SHARED_ARRAY(float, limits, [kTile]);   // -1 where that is certain
  const int32_t g = blockIdx.x % args.groups.count;
  const VqGroup group = args.groups[g];
  const int64_t first_row = static_cast<int64_t>(blockIdx.x / args.groups.count) * kTile;
  const int rows = static_cast<int>(min(int64_t{kTile}, args.latents.rows - first_row));
  const float* latents = args.latents.data + first_row * args.latents.ld + group.latent_begin;
  const float* codebook = args.codebooks.data + group.codebook_begin;

  Nearest nearest[kPerThread];
  screen(latents, args.latents.ld, rows, codebook, group, nearest);
  if (threadIdx.x % kSide == 0) {
    for (int i = 0; i < kPerThread; ++i) {
      const int row = threadIdx.x / kSide * kPerThread + i;
      const float limit = candidate_limit(nearest[i].best, group.dim);
      found[row] = nearest[i].code;
      limits[row] = nearest[i].second > limit ? -1.0f : limit;
    }
  }
  __syncthreads();  // every row's state is in place

  const int lane = threadIdx.x % cuda::kWarpSize;
  for (int row = threadIdx.x / cuda::kWarpSize; row < rows; row += kWarps) {  // one warp per row
    const float* latent = latents + row * args.latents.ld;
    int32_t code = found[row];
    bool finite = true;
    if (limits[row] >= 0) code = decide(latent, codebook, group, limits[row], finite);
    const float* chosen = codebook + int64_t{code} * group.dim;
    const int64_t n = first_row + row;
    if (lane == 0) {
      args.codes.data[n * args.codes.ld + g] = code;
      if (!finite && args.nonfinite.data != nullptr) atomicAdd(args.nonfinite.data, 1);
      if (args.sq_dist.data != nullptr)
        args.sq_dist.data[n * args.sq_dist.ld + g] =
            real(exact_distance(latent, chosen, group.dim));
    }
    if (args.quantized.data != nullptr)
      for (int32_t d = lane; d < group.dim; d += cuda::kWarpSize)
        args.quantized.data[n * args.quantized.ld + group.latent_begin + d] = chosen[d];
  }
}

}  // namespace

void vq_assign(CudaContext& context, const VqAssign& args) {
  const int64_t row_tiles = cuda::ceil_div<int64_t>(args.latents.rows, kTile);
  cuda::launch(context, "vq_assign", vq_assign_kernel, row_tiles * args.groups.count, kThreads,
               args);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
