#pragma once

#include "tessera/kernels/host_device.h"
#include "tessera/kernels/philox.h"
#include "tessera/kernels/views.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// One draw of k-means++ on one set of rows: centre number `draw`.
///
///   draw 0   row floor(u N) uniformly
///   draw j   d2[n] = min(d2[n], |x_n - centre_{j-1}|^2), then row n with probability
///            d2[n] / sum d2: the first n whose running sum exceeds u * total (the last row with
///            d2 > 0 where rounding leaves none; row 0 where all are 0)
///   u = random_uniform(seed, kStreamKmeans, stream_step, draw);   centres[draw] = x_row
/// Distances are in `real`; running sums in binary64 over blocks of kBlock rows, ascending.
/// Source: Arthur and Vassilvitskii 2007, section 2.2.
struct KmeansDraw {
  static constexpr int64_t kBlock = 1024;
  MatrixView<const real> rows;  // [N, D]
  VectorView<real> sq_dist;     // d2, [N]  in, out; draw 0 leaves it, draw 1 writes it
  MatrixView<real> centres;     // [K, D]; row draw - 1 is read, row draw written
  VectorView<double> block_sums;  // [ceil(N / kBlock)]  scratch
  int64_t draw;
  uint64_t seed, stream_step;
};
void kmeans_draw(CpuContext&, const KmeansDraw&);
void kmeans_draw(CudaContext&, const KmeansDraw&);

/// centres[k] = sums[k] / counts[k] where counts[k] > 0, else unchanged.
struct KmeansCentres {
  VectorView<const real> counts;  // [K]
  MatrixView<const real> sums;    // [K, D]
  MatrixView<real> centres;       // [K, D]  in, out
};
void kmeans_centres(CpuContext&, const KmeansCentres&);
void kmeans_centres(CudaContext&, const KmeansCentres&);

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
