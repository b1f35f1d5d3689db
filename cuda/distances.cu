// Distances between rows and their correlation: contracts in tessera/kernels/distances.h.
//
// Mapping    distances: one thread per pair, 16 x 16 pairs per block, rows from L1. Gradient: one
//            block per row, its threads over the other rows for a group's weights, then over the
//            group's columns. VectorCorrelation: blocks stride over the values (reduce.cuh).
// Cost       n*n*C subtract and multiply-add; gradient twice that.
// Exactness  distances: the CPU's bits. Gradient: j ascending. VectorCorrelation: binary64, an order fixed
//            by the number of values.

#include "launch.cuh"
#include "reduce.cuh"
#include "tessera/kernels/distances.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

constexpr int kSide = 16, kThreads = kSide * kSide;
constexpr int64_t kValuesPerBlock = 4096;

__device__ float group_distance(const ColumnGroup& group, const float* x, const float* y) {
  float sum = 0;
  for (int32_t c = group.begin; c < group.begin + group.cols; ++c) {
    const float t = x[c] - y[c];
    sum = fmaf(t, t, sum);
  }
  return sqrtf(sum);
}

__global__ void mean_distances_kernel(MeanDistances a) {
  const int64_t n = a.x.rows, across = (n + kSide - 1) / kSide;
  const int64_t i = blockIdx.x / across * kSide + threadIdx.x / kSide;
  const int64_t j = blockIdx.x % across * kSide + threadIdx.x % kSide;
  if (i >= n || j >= n) return;
  // The smaller index first, so that both halves have the same bits.
  const float *first = a.x.data + min(i, j) * a.x.ld, *second = a.x.data + max(i, j) * a.x.ld;
  float sum = 0;
  for (int32_t g = 0; g < a.groups.count; ++g) sum += group_distance(a.groups[g], first, second);
  a.distances.data[i * a.distances.ld + j] = sum * (1.0f / static_cast<float>(a.groups.count));
}

__global__ void mean_distances_grad_kernel(MeanDistancesGrad a, float* weights) {
  const int64_t n = a.x.rows, i = blockIdx.x;
  const float* row = a.x.data + i * a.x.ld;
  float* own = weights + i * n;  // of this block
  const float factor = 2.0f / static_cast<float>(a.groups.count);
  for (int32_t g = 0; g < a.groups.count; ++g) {
    const ColumnGroup group = a.groups[g];
    __syncthreads();  // the weights of the group before are consumed
    for (int64_t j = threadIdx.x; j < n; j += kThreads) {
      const float dist = group_distance(group, row, a.x.data + j * a.x.ld);
      own[j] = dist > 0 ? factor * a.dd.data[i * a.dd.ld + j] / dist : 0.0f;
    }
    __syncthreads();  // the weights are complete
    for (int32_t local = threadIdx.x; local < group.cols; local += kThreads) {
      const int32_t c = group.begin + local;
      float total = 0;
      for (int64_t j = 0; j < n; ++j)
        total = fmaf(own[j], row[c] - a.x.data[j * a.x.ld + c], total);
      real& dx = a.dx.data[i * a.dx.ld + c];
      dx = a.beta == 0 ? total : fmaf(a.beta, dx, total);
    }
  }
}

/// Adds f(i) over the grid's values; true in the block that has the sum.
template <class F>
__device__ bool sum_over(int64_t count, const cuda::GridScratch& scratch, double& total, F f) {
  double sum = 0;
  const int64_t stride = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < count;
       i += stride)
    sum += f(i);
  return cuda::grid_sum<kThreads>(scratch, sum, total);
}

/// moments[which] of 0, 1: the means; 2, 3, 4: the centred products, after the means.
__global__ void correlation_moment_kernel(VectorCorrelation a, int which,
                                          cuda::GridScratch scratch) {
  const float* x = which == 1 || which == 3 ? a.b.data : a.a.data;
  const float* y = which == 2 ? a.a.data : a.b.data;
  const double x_mean = which < 2 ? 0 : a.moments.data[which == 3 ? 1 : 0];
  const double y_mean = which < 2 ? 0 : a.moments.data[which == 2 ? 0 : 1];
  double total = 0;
  const bool last = sum_over(a.a.size, scratch, total, [&](int64_t i) {
    if (which < 2) return double(x[i]);
    return (double(x[i]) - x_mean) * (double(y[i]) - y_mean);
  });
  if (!last || threadIdx.x != 0) return;
  a.moments.data[which] = which < 2 && a.a.size > 0 ? total / static_cast<double>(a.a.size) : total;
  if (which == 4)
    a.r.data[0] = real(total / (sqrt(a.moments.data[2]) * sqrt(a.moments.data[3]) + 1e-8));
}

__global__ void correlation_grad_kernel(VectorCorrelationGrad a) {
  const double* m = a.moments.data;
  const double dr = double(a.dr.data[0]);
  const CorrelationSlope slope_a = correlation_slope(m[3], m[2], m[4], dr);
  const CorrelationSlope slope_b = correlation_slope(m[2], m[3], m[4], dr);
  cuda::for_elements(a.a.size, [&](int64_t i) {
    const double x = double(a.a.data[i]) - m[0], y = double(a.b.data[i]) - m[1];
    if (a.da.data != nullptr) {
      const real value = real(slope_a.toward * y + slope_a.along * x);
      a.da.data[i] = a.beta_a == 0 ? value : fmaf(a.beta_a, a.da.data[i], value);
    }
    if (a.db.data != nullptr) {
      const real value = real(slope_b.toward * x + slope_b.along * y);
      a.db.data[i] = a.beta_b == 0 ? value : fmaf(a.beta_b, a.db.data[i], value);
    }
  });
}

}  // namespace

void mean_distances(CudaContext& context, const MeanDistances& a) {
  const int64_t across = cuda::ceil_div<int64_t>(a.x.rows, kSide);
  cuda::launch(context, "mean_distances", mean_distances_kernel, across * across, kThreads, a);
}

void mean_distances_grad(CudaContext& context, const MeanDistancesGrad& a) {
  if (a.x.rows == 0) return;
  const cuda::StepScratch scratch(context,
                                  static_cast<size_t>(a.x.rows * a.x.rows) * sizeof(float));
  cuda::launch(context, "mean_distances_grad", mean_distances_grad_kernel, a.x.rows, kThreads, a,
               scratch.data<float>());
}

void vector_correlation(CudaContext& context, const VectorCorrelation& a) {
  for (int which = 0; which < 5; ++which)
    cuda::launch(context, "vector_correlation", correlation_moment_kernel,
                 cuda::sum_blocks(a.a.size, kValuesPerBlock), kThreads, a, which,
                 context.grid_scratch());
}

void vector_correlation_grad(CudaContext& context, const VectorCorrelationGrad& a) {
  cuda::launch_elements(context, "vector_correlation_grad", correlation_grad_kernel, a.a.size, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
