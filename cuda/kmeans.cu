// k-means++ draws and centres: contracts in tessera/kernels/kmeans.h.
//
// Mapping    distances: a block per 1,024 rows, 16 lanes per row; one thread adds the block's
//            distances. The draw: one block, whose first thread walks the running sum.
// Cost       per draw: HBM N*D floats; then about 1,024 dependent additions twice.
// Exactness  distances in 16 lanes and sums in the order of the CPU, so that equal rows and seeds
//            draw equal centres on both.

#include "launch.cuh"
#include "tessera/kernels/kmeans.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

constexpr int kLanes = 16;  // of a row's sum
constexpr int kThreads = 256;
constexpr int kBlock = static_cast<int>(KmeansDraw::kBlock);

/// |row - centre|^2 in 16 lanes, then the lanes in order; the same bits in all 16. Whole warps.
__device__ real square_distance(const real* row, const real* centre, int64_t dim) {
  const int lane = threadIdx.x % kLanes;
  real part = 0;
  for (int64_t d = lane; d < dim; d += kLanes) {
    const real t = row[d] - centre[d];
    part = fmaf(t, t, part);
  }
  real sum = 0;
  for (int i = 0; i < kLanes; ++i)
    sum += __shfl_sync(cuda::kFullWarp, part,
                       static_cast<int>(threadIdx.x % cuda::kWarpSize) - lane + i);
  return sum;
}

__global__ void kmeans_distances_kernel(KmeansDraw a) {
  TESSERA_SHARED_ARRAY(real, dist, [kBlock]);
  const real* centre = a.centres.data + (a.draw - 1) * a.centres.ld;
  const int64_t begin = static_cast<int64_t>(blockIdx.x) * kBlock;
  const int rows = static_cast<int>(min(int64_t{kBlock}, a.rows.rows - begin));
  for (int first = 0; first < rows; first += kThreads / kLanes) {
    const int i = first + static_cast<int>(threadIdx.x) / kLanes;
    const int64_t n = begin + min(i, rows - 1);  // all lanes shuffle
    const real now = square_distance(a.rows.data + n * a.rows.ld, centre, a.rows.cols);
    if (i >= rows || threadIdx.x % kLanes != 0) continue;
    real& best = a.sq_dist.data[n];
    if (a.draw == 1 || now < best) best = now;
    dist[i] = best;
  }
  __syncthreads();  // every row's distance is in place
  if (threadIdx.x != 0) return;
  double sum = 0;
  for (int i = 0; i < rows; ++i) sum += double(dist[i]);
  a.block_sums.data[blockIdx.x] = sum;
}

/// The first row whose running sum exceeds `target`; the last with a positive weight otherwise.
__device__ int64_t pick(const KmeansDraw& a, double target) {
  double running = 0;
  int64_t last = 0;
  for (int64_t block = 0; block < a.block_sums.size; ++block) {
    const double sum = a.block_sums.data[block];
    if (running + sum <= target && block + 1 < a.block_sums.size) {
      running += sum;
      if (sum > 0) last = block * kBlock;
      continue;
    }
    const int64_t end = min(a.rows.rows, (block + 1) * kBlock);
    for (int64_t n = block * kBlock; n < end; ++n) {
      running += double(a.sq_dist.data[n]);
      if (running > target) return n;
      if (a.sq_dist.data[n] > 0) last = n;
    }
  }
  return last;
}

__device__ int64_t drawn_row(const KmeansDraw& a) {
  const double u =
      double(random_uniform(a.seed, kStreamKmeans, a.stream_step, static_cast<uint64_t>(a.draw)));
  if (a.draw == 0) return static_cast<int64_t>(u * static_cast<double>(a.rows.rows));
  double total = 0;
  for (int64_t block = 0; block < a.block_sums.size; ++block) total += a.block_sums.data[block];
  return total > 0 ? pick(a, u * total) : 0;
}

__global__ void kmeans_draw_kernel(KmeansDraw a) {
  TESSERA_SHARED_ARRAY(int64_t, row, [1]);
  if (threadIdx.x == 0) row[0] = drawn_row(a);
  __syncthreads();  // the row is known
  const real* from = a.rows.data + row[0] * a.rows.ld;
  for (int64_t d = threadIdx.x; d < a.rows.cols; d += kThreads)
    a.centres.data[a.draw * a.centres.ld + d] = from[d];
}

__global__ void kmeans_centres_kernel(KmeansCentres a) {
  cuda::for_elements(a.counts.size * a.centres.cols, [&](int64_t i) {
    const int64_t k = i / a.centres.cols, d = i % a.centres.cols;
    if (a.counts.data[k] > 0)
      a.centres.data[k * a.centres.ld + d] = a.sums.data[k * a.sums.ld + d] / a.counts.data[k];
  });
}

}  // namespace

void kmeans_draw(CudaContext& context, const KmeansDraw& a) {
  if (a.draw > 0)
    cuda::launch(context, "kmeans_distances", kmeans_distances_kernel, a.block_sums.size, kThreads,
                 a);
  cuda::launch(context, "kmeans_draw", kmeans_draw_kernel, 1, kThreads, a);
}
void kmeans_centres(CudaContext& context, const KmeansCentres& a) {
  cuda::launch_elements(context, "kmeans_centres", kmeans_centres_kernel,
                        a.counts.size * a.centres.cols, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
