#pragma once

#include "tessera/kernels/grids.h"
#include "tessera/kernels/views.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// y[q, c] = max over (i, j) of x[p(q, i, j), c], positions outside the sample left out; source[q, c] is
/// the row of x that it came from, the first of equals in the order of (i, j). Every window must show
/// one position at least (pad < size of the window). NaN is not looked for.
struct MaxPool {
  MatrixView<const real> x;  // [in.rows, C]
  Grids in, out;
  Window window;
  MatrixView<real> y;          // [out.rows, C]  out
  MatrixView<int32_t> source;  // [out.rows, C]  out
};
void max_pool(CpuContext&, const MaxPool&);
void max_pool(CudaContext&, const MaxPool&);

/// dx[p, c] = beta dx[p, c] + sum of dy[q, c] over the q with source[q, c] = p, in the order of q.
struct MaxPoolGrad {
  MatrixView<const real> dy;         // [out.rows, C]
  MatrixView<const int32_t> source;  // [out.rows, C]
  Grids in, out;
  Window window;
  MatrixView<real> dx;  // [in.rows, C]  out (in, out unless beta is 0)
  real beta = 0;
};
void max_pool_grad(CpuContext&, const MaxPoolGrad&);
void max_pool_grad(CudaContext&, const MaxPoolGrad&);

/// y[s, c] = (1 / positions of s) sum over the positions p of sample s of x[p, c], in order, summed in
/// binary64: the mean over what the sample has.
struct GridMean {
  MatrixView<const real> x;  // [in.rows, C]
  Grids in;
  MatrixView<real> y;  // [in.count, C]  out
};
void grid_mean(CpuContext&, const GridMean&);
void grid_mean(CudaContext&, const GridMean&);

/// dx[p, c] = beta dx[p, c] + dy[s(p), c] / positions of s(p).
struct GridMeanGrad {
  MatrixView<const real> dy;  // [in.count, C]
  Grids in;
  MatrixView<real> dx;  // [in.rows, C]  out (in, out unless beta is 0)
  real beta = 0;
};
void grid_mean_grad(CpuContext&, const GridMeanGrad&);
void grid_mean_grad(CudaContext&, const GridMeanGrad&);

/// Brings each series of T steps to T' = its steps in `out`, by means over bins:
///   y[i, c] = mean of x[t, c] over floor(i T / T') <= t < ceil((i + 1) T / T')
/// in order, summed in binary64. Samples of `out` are those of `in`, several times over where `out` has
/// more: sample s of `out` reads sample s mod in.count, so that all levels of a pyramid are one launch.
struct SeriesMean {
  MatrixView<const real> x;  // [in.rows, C], heights 1
  Grids in, out;
  MatrixView<real> y;  // [out.rows, C]  out
};
void series_mean(CpuContext&, const SeriesMean&);
void series_mean(CudaContext&, const SeriesMean&);

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
