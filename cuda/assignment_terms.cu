// Terms of an assignment alone: contracts in tessera/kernels/assignment_terms.h.
//
// Mapping    sums: 256 threads x 4 values per block, the last block adds up the blocks. Masses: 8
//            categories per block, 64 threads each; the last block adds up the squares.
// Cost       D*K values once, for the entropy a logarithm in binary64 each. Bound by the launch.
// Exactness  binary64, in an order fixed by the sizes.

#include "launch.cuh"
#include "reduce.cuh"
#include "tessera/kernels/assignment_terms.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

using cuda::ColumnBlock, cuda::GridScratch;

constexpr int kThreads = cuda::kElementThreads;

__global__ void assignment_term_kernel(AssignmentTerm a, GridScratch scratch) {
  const int64_t cols = a.assignment.cols, count = a.assignment.rows * cols;
  double part = 0, total;
  for (int64_t e = int64_t{blockIdx.x} * kThreads + threadIdx.x; e < count;
       e += int64_t{gridDim.x} * kThreads)
    part += term_at(a, e / cols, e % cols);
  if (cuda::grid_sum<kThreads>(scratch, part, total) && threadIdx.x == 0)
    a.loss.data[0] = real(factor_of(a) * total);
}

/// dA = beta dA + slope, rounded once.
__device__ void add_slope(real& out, real beta, double slope) {
  out = real(beta == 0 ? slope : double(beta) * double(out) + slope);
}

__global__ void assignment_term_grad_kernel(AssignmentTermGrad a) {
  const double factor = factor_of(a);
  const int64_t cols = a.dassignment.cols;
  cuda::for_elements(a.dassignment.rows * cols, [&](int64_t e) {
    const int64_t i = e / cols, k = e % cols;
    add_slope(a.dassignment.data[i * a.dassignment.ld + k], a.beta,
              double(a.dloss.data[0]) * factor * slope_at(a, i, k));
  });
}

__global__ void category_balance_kernel(CategoryBalance a, GridScratch scratch) {
  const int64_t k = ColumnBlock::column(), features = a.assignment.rows,
                categories = a.assignment.cols;
  double part = 0, total;
  if (k < categories)
    for (int64_t i = ColumnBlock::row_lane(); i < features; i += ColumnBlock::kRowLanes)
      part += double(a.assignment.data[i * a.assignment.ld + k]);
  const double mass = ColumnBlock::sum(part);
  double square = 0;
  if (k < categories && ColumnBlock::row_lane() == 0) {
    const double off = mass / (static_cast<double>(features) / static_cast<double>(categories)) - 1;
    a.masses.data[k] = mass;
    square = off * off;
  }
  if (cuda::grid_sum<ColumnBlock::kThreads>(scratch, square, total) && threadIdx.x == 0)
    a.loss.data[0] = real(total / static_cast<double>(categories));
}

__global__ void category_balance_grad_kernel(CategoryBalanceGrad a) {
  const int64_t cols = a.dassignment.cols;
  cuda::for_elements(a.dassignment.rows * cols, [&](int64_t e) {
    add_slope(a.dassignment.data[e / cols * a.dassignment.ld + e % cols], a.beta,
              double(a.dloss.data[0]) * balance_slope(a, e % cols));
  });
}

}  // namespace

void assignment_term(CudaContext& context, const AssignmentTerm& a) {
  cuda::launch(context, "assignment_term", assignment_term_kernel,
               cuda::sum_blocks(a.assignment.rows * a.assignment.cols, cuda::kElementsPerBlock),
               kThreads, a, context.grid_scratch());
}

void assignment_term_grad(CudaContext& context, const AssignmentTermGrad& a) {
  cuda::launch_elements(context, "assignment_term_grad", assignment_term_grad_kernel,
                        a.dassignment.rows * a.dassignment.cols, a);
}

void category_balance(CudaContext& context, const CategoryBalance& a) {
  const int64_t blocks = ColumnBlock::blocks(a.assignment.cols);
  TESSERA_CHECK(blocks <= GridScratch::kBlocks, "category_balance: ", a.assignment.cols,
                " categories, at most ", GridScratch::kBlocks * ColumnBlock::kColumns);
  cuda::launch(context, "category_balance", category_balance_kernel, blocks, ColumnBlock::kThreads,
               a, context.grid_scratch());
}

void category_balance_grad(CudaContext& context, const CategoryBalanceGrad& a) {
  cuda::launch_elements(context, "category_balance_grad", category_balance_grad_kernel,
                        a.dassignment.rows * a.dassignment.cols, a);
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
