#include "methods/small_matrix.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tessera/error.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

/// Four running sums: one alone waits for its own last addition.
double dot(const double* a, const double* b, int64_t n) {
  double sums[4] = {};
  int64_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (int lane = 0; lane < 4; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  for (; i < n; ++i) sums[0] += a[i] * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

void add_scaled(double factor, const double* x, double* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += factor * x[i];
}

/// (x, y) = (c x - s y, s x + c y)
void rotate(double c, double s, double* x, double* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const double old = x[i];
    x[i] = c * old - s * y[i];
    y[i] = s * old + c * y[i];
  }
}

/// One Jacobi rotation that makes a(p, q) zero.
void annihilate(SmallMatrix& a, SmallMatrix& vectors, int64_t p, int64_t q) {
  const double theta = (a(q, q) - a(p, p)) / (2 * a(p, q));
  const double t = (theta < 0 ? -1 : 1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
  const double c = 1 / std::sqrt(t * t + 1), s = t * c, removed = a(p, q);
  const double first = a(p, p) - t * removed, second = a(q, q) + t * removed;
  rotate(c, s, a.row(p), a.row(q), a.cols);
  for (int64_t k = 0; k < a.rows; ++k) {  // the columns are the rows again
    a(k, p) = a(p, k);
    a(k, q) = a(q, k);
  }
  a(p, p) = first;
  a(q, q) = second;
  a(p, q) = a(q, p) = 0;
  rotate(c, s, vectors.row(p), vectors.row(q), vectors.cols);
}

}  // namespace

bool SmallMatrix::is_finite() const {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

SmallMatrix product(const SmallMatrix& a, const SmallMatrix& b) {
  TESSERA_CHECK(a.cols == b.rows, "product: ", a.cols, " columns times ", b.rows, " rows");
  SmallMatrix c(a.rows, b.cols);
  for (int64_t r = 0; r < a.rows; ++r)
    for (int64_t k = 0; k < a.cols; ++k) add_scaled(a(r, k), b.row(k), c.row(r), b.cols);
  return c;
}

SmallMatrix transposed_product(const SmallMatrix& a, const SmallMatrix& b) {
  TESSERA_CHECK(a.rows == b.rows, "transposed_product: ", a.rows, " and ", b.rows, " rows");
  SmallMatrix c(a.cols, b.cols);
  for (int64_t k = 0; k < a.rows; ++k)
    for (int64_t r = 0; r < a.cols; ++r) add_scaled(a(k, r), b.row(k), c.row(r), b.cols);
  return c;
}

SmallMatrix product_transposed(const SmallMatrix& a, const SmallMatrix& b) {
  TESSERA_CHECK(a.cols == b.cols, "product_transposed: ", a.cols, " and ", b.cols, " columns");
  SmallMatrix c(a.rows, b.rows);
  for (int64_t r = 0; r < a.rows; ++r)
    for (int64_t k = 0; k < b.rows; ++k) c(r, k) = dot(a.row(r), b.row(k), a.cols);
  return c;
}

SymmetricEigen symmetric_eigen(SmallMatrix a) {
  constexpr int kMaxSweeps = 60;  // it converges quadratically; ten are many
  TESSERA_CHECK(a.rows == a.cols, "symmetric_eigen: [", a.rows, ", ", a.cols, "]");
  require(a.is_finite(), ErrorKind::Numeric,
          "eigenvalues: the matrix has values that are not finite");
  const int64_t n = a.rows;
  const double norm = std::sqrt(dot(a.values.data(), a.values.data(), n * n));
  const double negligible = norm * 1e-18;
  SmallMatrix vectors(n, n);
  for (int64_t i = 0; i < n; ++i) vectors(i, i) = 1;
  bool changed = true;
  for (int sweep = 0; changed && sweep < kMaxSweeps; ++sweep) {
    changed = false;
    for (int64_t p = 0; p < n; ++p)
      for (int64_t q = p + 1; q < n; ++q) {
        if (!(std::abs(a(p, q)) > negligible)) continue;
        annihilate(a, vectors, p, q);
        changed = true;
      }
  }
  SymmetricEigen result{.values = std::vector<double>(static_cast<size_t>(n)), .vectors = vectors};
  for (int64_t i = 0; i < n; ++i) result.values[static_cast<size_t>(i)] = a(i, i);
  return result;
}

SmallMatrix polar_factor(const SmallMatrix& a) {
  constexpr double kOrthonormal = 2e-15;
  TESSERA_CHECK(a.rows <= a.cols, "polar_factor: ", a.rows, " rows of ", a.cols);
  const SmallMatrix vectors = symmetric_eigen(product_transposed(a, a)).vectors;
  SmallMatrix rows = product(vectors, a);  // S V^T: orthogonal as far as the Gram matrix tells
  for (int64_t r = 0; r < rows.rows; ++r) {
    const double norm = std::sqrt(dot(rows.row(r), rows.row(r), rows.cols));
    require(norm > 0, ErrorKind::Numeric, "polar factor: row ", r, " of ", rows.rows,
            " depends on the others; no nearest matrix with orthonormal rows exists");
    for (int64_t i = 0; i < rows.cols; ++i) rows(r, i) /= norm;
  }
  for (int step = 0; step < 4; ++step) {  // rows of a near-singular matrix are still a bit oblique
    SmallMatrix excess = product_transposed(rows, rows);
    double worst = 0;
    for (int64_t i = 0; i < excess.rows; ++i)
      for (int64_t k = 0; k < excess.cols; ++k) {
        excess(i, k) -= i == k ? 1 : 0;
        worst = std::max(worst, std::abs(excess(i, k)));
      }
    if (worst < kOrthonormal) break;
    const SmallMatrix correction = product(excess, rows);
    add_scaled(-0.5, correction.values.data(), rows.values.data(), rows.rows * rows.cols);
  }
  return transposed_product(vectors, rows);
}

SmallMatrix orthonormal_rows(SmallMatrix a) {
  for (int64_t r = 0; r < a.rows; ++r) {
    for (int pass = 0; pass < 2; ++pass)
      for (int64_t k = 0; k < r; ++k)
        add_scaled(-dot(a.row(k), a.row(r), a.cols), a.row(k), a.row(r), a.cols);
    const double norm = std::sqrt(dot(a.row(r), a.row(r), a.cols));
    require(norm > 0, ErrorKind::Numeric, "orthonormal rows: row ", r, " depends on the others");
    for (int64_t i = 0; i < a.cols; ++i) a(r, i) /= norm;
  }
  return a;
}

PrincipalComponents principal_components(std::span<const real> rows, int64_t cols, int64_t count) {
  const int64_t n = static_cast<int64_t>(rows.size()) / cols;
  TESSERA_CHECK(n > 0 && count <= cols, "principal_components: ", count, " of ", cols,
                " directions from ", n, " rows");
  SmallMatrix covariance(cols, cols);
  std::vector<double> mean(static_cast<size_t>(cols)), row(static_cast<size_t>(cols));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t c = 0; c < cols; ++c) row[c] = double(rows[static_cast<size_t>(i * cols + c)]);
    add_scaled(1, row.data(), mean.data(), cols);
    for (int64_t c = 0; c < cols; ++c)  // from the diagonal on
      add_scaled(row[c], row.data() + c, covariance.row(c) + c, cols - c);
  }
  const double scale = 1 / static_cast<double>(n);
  for (double& value : mean) value *= scale;
  for (int64_t r = 0; r < cols; ++r)
    for (int64_t c = r; c < cols; ++c)
      covariance(r, c) = covariance(c, r) = scale * covariance(r, c) - mean[r] * mean[c];
  const SymmetricEigen eigen = symmetric_eigen(std::move(covariance));
  std::vector<int64_t> order(static_cast<size_t>(cols));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t a, int64_t b) { return eigen.values[a] > eigen.values[b]; });
  PrincipalComponents result{.variances = {}, .directions = SmallMatrix(count, cols)};
  for (int64_t i = 0; i < count; ++i) {
    result.variances.push_back(eigen.values[order[i]]);
    std::copy_n(eigen.vectors.row(order[i]), cols, result.directions.row(i));
  }
  return result;
}

}  // namespace tessera::inline TESSERA_PRECISION
