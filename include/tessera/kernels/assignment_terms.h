#pragma once

#include <cmath>

#include "tessera/kernels/category_assignment.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

// Terms of the loss that look at an assignment A [D, K] alone.

/// A weight that falls with the step: start (end / start)^min(1, step / steps); `start` where there is
/// no state. Both are positive, steps too.
struct AnnealedWeight {
  const StepState* state = nullptr;
  double start = 1, end = 1, steps = 1;
};
TESSERA_HD double value_of(const AnnealedWeight& w) {
  if (w.state == nullptr) return w.start;
  const double reached = static_cast<double>(w.state->step) / w.steps;
  return w.start * exp(log(w.end / w.start) * (reached < 1 ? reached : 1));
}

/// Sums over the elements of A, in binary64, times `weight`:
///
///   RowEntropy        (1 / D) sum_ik -A ln A, with 0 ln 0 = 0
///   Modularity        sum_ik A U. With U = Q A and a symmetric Q: sum_k A_k^T Q A_k
///   FamilyConstraint  (1 / F) sum_ik A where category k is not of feature i's family; F families
///
/// The order is fixed for each backend.
enum class AssignmentSum { RowEntropy, Modularity, FamilyConstraint };
struct AssignmentTerm {
  AssignmentSum sum;
  MatrixView<const real> assignment;     // [D, K]
  MatrixView<const real> product = {};   // U [D, K], of Modularity
  Groups<CategoryFamily> families = {};  // of FamilyConstraint
  VectorView<real> loss = {};            // [1]  out
  AnnealedWeight weight = {};
};
void assignment_term(CpuContext&, const AssignmentTerm&);
void assignment_term(CudaContext&, const AssignmentTerm&);

/// dA = beta dA + dloss weight slope
///
///   RowEntropy        -(1 / D) (ln max(A, 1e-30) + 1): finite at 0, where the softmax takes it to 0
///   Modularity        2 U
///   FamilyConstraint  1 / F outside the family, else 0
struct AssignmentTermGrad {
  AssignmentSum sum;
  MatrixView<const real> assignment = {};
  MatrixView<const real> product = {};
  Groups<CategoryFamily> families = {};
  VectorView<const real> dloss = {};  // [1]
  MatrixView<real> dassignment = {};  // [D, K]  out (in, out unless beta is 0)
  AnnealedWeight weight = {};
  real beta = 0;
};
void assignment_term_grad(CpuContext&, const AssignmentTermGrad&);
void assignment_term_grad(CudaContext&, const AssignmentTermGrad&);

/// How unequal the categories are, whatever the number of features:
///
///   masses[k] = sum_i A[i, k]      binary64, i ascending on the CPU
///   loss[0]   = (1 / K) sum_k (masses[k] K / D - 1)^2
///
/// 0 where all masses are D / K; K - 1 where one category has everything.
struct CategoryBalance {
  MatrixView<const real> assignment;  // [D, K]
  VectorView<double> masses;          // [K]  out
  VectorView<real> loss;              // [1]  out
};
void category_balance(CpuContext&, const CategoryBalance&);
void category_balance(CudaContext&, const CategoryBalance&);

/// dA[i, k] = beta dA[i, k] + dloss (2 / D) (masses[k] K / D - 1)
struct CategoryBalanceGrad {
  VectorView<const double> masses;
  VectorView<const real> dloss;
  MatrixView<real> dassignment;  // [D, K]  out (in, out unless beta is 0)
  real beta = 0;
};
void category_balance_grad(CpuContext&, const CategoryBalanceGrad&);
void category_balance_grad(CudaContext&, const CategoryBalanceGrad&);

/// Is category k outside the family of feature i?
TESSERA_HD bool is_outside(const Groups<CategoryFamily>& families, int64_t i, int64_t k) {
  int32_t f = 0;
  while (i >= families[f].feature_begin + families[f].features) ++f;
  return k < families[f].category_begin || k >= families[f].category_begin + families[f].categories;
}

/// What element (i, k) adds to a sum, before the weight and 1 / D or 1 / F.
TESSERA_HD double term_at(const AssignmentTerm& a, int64_t i, int64_t k) {
  const double share = double(a.assignment.data[i * a.assignment.ld + k]);
  switch (a.sum) {
    case AssignmentSum::RowEntropy:
      return share > 0 ? -share * log(share) : 0;
    case AssignmentSum::Modularity:
      return share * double(a.product.data[i * a.product.ld + k]);
    default:
      return is_outside(a.families, i, k) ? share : 0;
  }
}

/// Its derivative.
TESSERA_HD double slope_at(const AssignmentTermGrad& a, int64_t i, int64_t k) {
  const double share = double(a.assignment.data[i * a.assignment.ld + k]);
  switch (a.sum) {
    case AssignmentSum::RowEntropy:
      return -log(share > 1e-30 ? share : 1e-30) - 1;
    case AssignmentSum::Modularity:
      return 2 * double(a.product.data[i * a.product.ld + k]);
    default:
      return is_outside(a.families, i, k) ? 1 : 0;
  }
}

/// The weight with 1 / D or 1 / F.
template <class Args>
TESSERA_HD double factor_of(const Args& a) {
  const double count = a.sum == AssignmentSum::RowEntropy   ? static_cast<double>(a.assignment.rows)
                       : a.sum == AssignmentSum::Modularity ? 1.0
                                                            : a.families.count;
  return value_of(a.weight) / count;
}

/// d loss / d masses[k]
TESSERA_HD double balance_slope(const CategoryBalanceGrad& a, int64_t k) {
  const double features = static_cast<double>(a.dassignment.rows),
               mean = features / static_cast<double>(a.dassignment.cols);
  return 2 / features * (a.masses.data[k] / mean - 1);
}

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
