#define HWY_TARGET_INCLUDE "cpu/kmeans.cpp"
#include "cpu/simd_targets.h"

#include "cpu/cpu_context.h"
#include "cpu/simd-inl.h"
#include "tessera/kernels/kmeans.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

/// sq_dist of rows [begin, end) against the newest centre; returns their sum. A row's distance is
/// summed in 16 lanes, ascending, so that it has the same bits on every target.
double update_distances(const KmeansDraw& a, int64_t begin, int64_t end) {
  const real* centre = a.centres.data + (a.draw - 1) * a.centres.ld;
  const int64_t dim = a.rows.cols;
  double total = 0;
  for (int64_t n = begin; n < end; ++n) {
    const real* row = a.rows.data + n * a.rows.ld;
    alignas(64) real lanes[16] = {};
    int64_t d = 0;
    for (; d + 16 <= dim; d += 16)
      for (int lane = 0; lane < 16; ++lane) {
        const real t = row[d + lane] - centre[d + lane];
        lanes[lane] = std::fma(t, t, lanes[lane]);
      }
    for (int lane = 0; d < dim; ++d, ++lane) {
      const real t = row[d] - centre[d];
      lanes[lane] = std::fma(t, t, lanes[lane]);
    }
    real dist = 0;
    for (const real lane : lanes) dist += lane;
    real& best = a.sq_dist.data[n];
    if (a.draw == 1 || dist < best) best = dist;
    total += double(best);
  }
  return total;
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {
/// The first row whose running sum exceeds `target`; the last with a positive weight otherwise.
int64_t pick(const KmeansDraw& a, double target) {
  double running = 0;
  int64_t last = 0;
  for (int64_t block = 0; block < a.block_sums.size; ++block) {
    const double sum = a.block_sums.data[block];
    if (running + sum <= target && block + 1 < a.block_sums.size) {
      running += sum;
      if (sum > 0) last = block * KmeansDraw::kBlock;
      continue;
    }
    const int64_t end = std::min(a.rows.rows, (block + 1) * KmeansDraw::kBlock);
    for (int64_t n = block * KmeansDraw::kBlock; n < end; ++n) {
      running += double(a.sq_dist.data[n]);
      if (running > target) return n;
      if (a.sq_dist.data[n] > 0) last = n;
    }
  }
  return last;
}
}  // namespace

HWY_EXPORT(update_distances);
void kmeans_draw(CpuContext& context, const KmeansDraw& a) {
  const auto update = HWY_DYNAMIC_DISPATCH(update_distances);
  context.enqueue("kmeans_draw", [&] {
    const double u = double(random_uniform(a.seed, kStreamKmeans, a.stream_step,
                                           static_cast<uint64_t>(a.draw)));
    int64_t row = static_cast<int64_t>(u * static_cast<double>(a.rows.rows));
    if (a.draw > 0) {
      context.pool().run(a.block_sums.size, [&](int64_t block) {
        const int64_t begin = block * KmeansDraw::kBlock;
        a.block_sums.data[block] =
            update(a, begin, std::min(a.rows.rows, begin + KmeansDraw::kBlock));
      });
      double total = 0;
      for (int64_t block = 0; block < a.block_sums.size; ++block) total += a.block_sums.data[block];
      row = total > 0 ? pick(a, u * total) : 0;
    }
    const real* from = a.rows.data + row * a.rows.ld;
    std::copy(from, from + a.rows.cols, a.centres.data + a.draw * a.centres.ld);
  });
}

void kmeans_centres(CpuContext& context, const KmeansCentres& a) {
  context.parallel_ranges("kmeans_centres", a.counts.size, 32, [&](int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; ++k) {
      if (!(a.counts.data[k] > 0)) continue;
      for (int64_t d = 0; d < a.centres.cols; ++d)
        a.centres.data[k * a.centres.ld + d] = a.sums.data[k * a.sums.ld + d] / a.counts.data[k];
    }
  });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
