// Terms of an assignment alone: contracts in tessera/kernels/assignment_terms.h.
//
// Mapping    sums: pieces of the elements over the threads; masses and gradients: rows.
// Cost       D*K values, for the entropy a logarithm in binary64 each: far below a millisecond.
// Exactness  binary64; sums by chunked_sum, masses with i ascending.

#include "tessera/kernels/assignment_terms.h"

#include <algorithm>
#include <cmath>

#include "cpu/chunked_sum.h"
#include "cpu/cpu_context.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {

constexpr int64_t kGrain = 64;  // rows

/// dA = beta dA + slope(i, k), rounded once.
template <class F>
void add_slopes(CpuContext& context, const char* name, const MatrixView<real>& da, real beta,
                F slope) {
  context.parallel_ranges(name, da.rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t k = 0; k < da.cols; ++k) {
        real& out = da.data[i * da.ld + k];
        out = real(beta == 0 ? slope(i, k) : double(beta) * double(out) + slope(i, k));
      }
  });
}

}  // namespace

void assignment_term(CpuContext& context, const AssignmentTerm& a) {
  const int64_t cols = a.assignment.cols;
  context.enqueue("assignment_term", [&] {
    const double sum =
        chunked_sum(context, a.assignment.rows * cols, [&](int64_t begin, int64_t end) {
          double part = 0;
          for (int64_t e = begin; e < end; ++e) part += term_at(a, e / cols, e % cols);
          return part;
        });
    a.loss.data[0] = real(factor_of(a) * sum);
  });
}

void assignment_term_grad(CpuContext& context, const AssignmentTermGrad& a) {
  add_slopes(context, "assignment_term_grad", a.dassignment, a.beta, [&](int64_t i, int64_t k) {
    return double(a.dloss.data[0]) * factor_of(a) * slope_at(a, i, k);
  });
}

void category_balance(CpuContext& context, const CategoryBalance& a) {
  const int64_t features = a.assignment.rows, categories = a.assignment.cols;
  context.enqueue("category_balance", [&] {
    std::fill_n(a.masses.data, categories, 0.0);
    for (int64_t i = 0; i < features; ++i)
      for (int64_t k = 0; k < categories; ++k)
        a.masses.data[k] += double(a.assignment.data[i * a.assignment.ld + k]);
    const double mean = static_cast<double>(features) / static_cast<double>(categories);
    double sum = 0;
    for (int64_t k = 0; k < categories; ++k) {
      const double off = a.masses.data[k] / mean - 1;
      sum += off * off;
    }
    a.loss.data[0] = real(sum / static_cast<double>(categories));
  });
}

void category_balance_grad(CpuContext& context, const CategoryBalanceGrad& a) {
  add_slopes(context, "category_balance_grad", a.dassignment, a.beta,
             [&](int64_t, int64_t k) { return double(a.dloss.data[0]) * balance_slope(a, k); });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
