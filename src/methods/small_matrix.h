#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {

/// Row-major matrix of binary64 on the host: encoders, codebooks and their like, a few thousand
/// values at most.
struct SmallMatrix {
  int64_t rows = 0, cols = 0;
  std::vector<double> values;

  SmallMatrix() = default;
  SmallMatrix(int64_t row_count, int64_t col_count)
      : rows(row_count), cols(col_count), values(static_cast<size_t>(row_count * col_count)) {}
  SmallMatrix(int64_t row_count, int64_t col_count, std::vector<double> given)
      : rows(row_count), cols(col_count), values(std::move(given)) {}

  double& operator()(int64_t r, int64_t c) { return values[static_cast<size_t>(r * cols + c)]; }
  double operator()(int64_t r, int64_t c) const {
    return values[static_cast<size_t>(r * cols + c)];
  }
  double* row(int64_t r) { return values.data() + r * cols; }
  const double* row(int64_t r) const { return values.data() + r * cols; }
  bool is_finite() const;
};

SmallMatrix product(const SmallMatrix& a, const SmallMatrix& b);             ///< a b
SmallMatrix transposed_product(const SmallMatrix& a, const SmallMatrix& b);  ///< a^T b
SmallMatrix product_transposed(const SmallMatrix& a, const SmallMatrix& b);  ///< a b^T

struct SymmetricEigen {
  std::vector<double> values;  ///< in no order
  SmallMatrix vectors;         ///< row i belongs to values[i]
};
/// Eigenvalues and orthonormal eigenvectors of a symmetric matrix, by cyclic Jacobi rotations; about
/// 60 n^3 flop. Throws Error (Numeric) for values that are not finite.
/// Source: Golub and Van Loan, "Matrix Computations", 4th edition, section 8.5.
SymmetricEigen symmetric_eigen(SmallMatrix a);

/// The nearest matrix with orthonormal rows: U V^T of the thin SVD U S V^T, (a a^T)^(-1/2) a.
///
/// a       [rows, cols], rows <= cols
/// Throws Error (Numeric) where the rows are not finite or linearly dependent.
/// Source: Higham 1986, "Computing the polar decomposition", with the Newton-Schulz refinement of
/// Bjorck and Bowie 1971.
SmallMatrix polar_factor(const SmallMatrix& a);

/// `columns` made orthonormal one after another (Gram-Schmidt, twice): the Q of a QR factorisation
/// with a positive diagonal. Given and returned as rows.
SmallMatrix orthonormal_rows(SmallMatrix a);

struct PrincipalComponents {
  std::vector<double> variances;  ///< the largest eigenvalues of the covariance, descending
  SmallMatrix directions;         ///< [count, cols], orthonormal rows in that order
};
/// Top eigenvectors of the covariance about the mean, divided by the number of rows (biased).
///
/// rows    [count of rows, cols]
/// The sums are in binary64, rows ascending; meant for data whose mean is small beside its spread.
PrincipalComponents principal_components(std::span<const real> rows, int64_t cols, int64_t count);

}  // namespace tessera::inline TESSERA_PRECISION
