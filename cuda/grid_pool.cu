// Pooling of grids and series: contracts in tessera/kernels/grid_pool.h.
//
// Mapping    256 threads x 4 results per block, neighbouring channels in neighbouring threads; each
//            result finds its own sample by bisection, from L1.
// Cost       HBM: operands once; a row that several windows show comes from L2. The mean of a grid
//            is one thread's sum for each channel, so few samples of few channels fill no GPU.
// Exactness  as the CPU: the same bits.

#include "launch.cuh"
#include "tessera/kernels/grid_pool.h"
#include "tessera/kernels/window_spans.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

__global__ void max_pool_kernel(MaxPool a) {
  cuda::for_elements(a.y.rows * a.y.cols, [&](int64_t e) {
    const int64_t q = e / a.y.cols, c = e % a.y.cols;
    const int32_t sample = sample_of(a.out, q);
    const Rectangle shown =
        positions_shown(place_of(a.in, sample), place_of(a.out, sample), a.window, q);
    int64_t source = row_of(shown, shown.rows.begin, shown.columns.begin);
    real maximum = a.x.data[source * a.x.ld + c];
    for (int32_t y = shown.rows.begin; y < shown.rows.end; ++y)
      for (int32_t x = shown.columns.begin; x < shown.columns.end; ++x) {
        const int64_t p = row_of(shown, y, x);
        const real value = a.x.data[p * a.x.ld + c];
        if (value > maximum) {
          maximum = value;
          source = p;
        }
      }
    a.y.data[q * a.y.ld + c] = maximum;
    a.source.data[q * a.source.ld + c] = static_cast<int32_t>(source);
  });
}

__global__ void max_pool_grad_kernel(MaxPoolGrad a) {
  cuda::for_elements(a.dx.rows * a.dx.cols, [&](int64_t e) {
    const int64_t p = e / a.dx.cols, c = e % a.dx.cols;
    const int32_t sample = sample_of(a.in, p);
    const Rectangle by =
        windows_that_show(place_of(a.in, sample), place_of(a.out, sample), a.window, p);
    real& dx = a.dx.data[p * a.dx.ld + c];
    real sum = a.beta == 0 ? real(0) : a.beta * dx;
    for (int32_t y = by.rows.begin; y < by.rows.end; ++y)
      for (int32_t x = by.columns.begin; x < by.columns.end; ++x) {
        const int64_t q = row_of(by, y, x);
        sum += a.source.data[q * a.source.ld + c] == p ? a.dy.data[q * a.dy.ld + c] : real(0);
      }
    dx = sum;
  });
}

/// Mean of rows [begin, end) of column c, in order, summed in binary64.
__device__ real mean_of_rows(const MatrixView<const real>& x, int64_t c, int64_t begin,
                             int64_t end) {
  double sum = 0;
#pragma unroll 4
  for (int64_t p = begin; p < end; ++p) sum += static_cast<double>(x.data[p * x.ld + c]);
  return static_cast<real>(sum / static_cast<double>(end - begin));
}

__global__ void grid_mean_kernel(GridMean a) {
  cuda::for_elements(a.y.rows * a.y.cols, [&](int64_t e) {
    const int64_t s = e / a.y.cols, c = e % a.y.cols;
    const GridPlace in = place_of(a.in, static_cast<int32_t>(s));
    a.y.data[s * a.y.ld + c] =
        mean_of_rows(a.x, c, in.first_row, in.first_row + int64_t{in.height} * in.width);
  });
}

__global__ void grid_mean_grad_kernel(GridMeanGrad a) {
  cuda::for_elements(a.dx.rows * a.dx.cols, [&](int64_t e) {
    const int64_t p = e / a.dx.cols, c = e % a.dx.cols;
    const int32_t sample = sample_of(a.in, p);
    const GridPlace in = place_of(a.in, sample);
    const real part =
        a.dy.data[sample * a.dy.ld + c] / static_cast<real>(int64_t{in.height} * in.width);
    real& dx = a.dx.data[p * a.dx.ld + c];
    dx = (a.beta == 0 ? real(0) : a.beta * dx) + part;
  });
}

__global__ void series_mean_kernel(SeriesMean a) {
  cuda::for_elements(a.y.rows * a.y.cols, [&](int64_t e) {
    const int64_t q = e / a.y.cols, c = e % a.y.cols;
    const int32_t sample = sample_of(a.out, q);
    const GridPlace in = place_of(a.in, sample % a.in.count), out = place_of(a.out, sample);
    const Span bin = bin_of(static_cast<int32_t>(q - out.first_row), in.width, out.width);
    a.y.data[q * a.y.ld + c] =
        mean_of_rows(a.x, c, in.first_row + bin.begin, in.first_row + bin.end);
  });
}

}  // namespace

void max_pool(CudaContext& context, const MaxPool& a) {
  cuda::launch_elements(context, "max_pool", max_pool_kernel, a.y.rows * a.y.cols, a);
}

void max_pool_grad(CudaContext& context, const MaxPoolGrad& a) {
  cuda::launch_elements(context, "max_pool_grad", max_pool_grad_kernel, a.dx.rows * a.dx.cols, a);
}

void grid_mean(CudaContext& context, const GridMean& a) {
  cuda::launch_elements(context, "grid_mean", grid_mean_kernel, a.y.rows * a.y.cols, a);
}

void grid_mean_grad(CudaContext& context, const GridMeanGrad& a) {
  cuda::launch_elements(context, "grid_mean_grad", grid_mean_grad_kernel, a.dx.rows * a.dx.cols, a);
}

void series_mean(CudaContext& context, const SeriesMean& a) {
  cuda::launch_elements(context, "series_mean", series_mean_kernel, a.y.rows * a.y.cols, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
