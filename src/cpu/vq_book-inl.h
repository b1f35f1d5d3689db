// Codebooks as the nearest-code search wants them, once per target; see vq_assign.cpp.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "cpu/simd_tile-inl.h"
#include "tessera/kernels/vq_assign.h"

#if defined(TESSERA_CPU_VQ_BOOK_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CPU_VQ_BOOK_INL_H
#undef TESSERA_CPU_VQ_BOOK_INL_H
#else
#define TESSERA_CPU_VQ_BOOK_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

/// Squared norms up to this keep every intermediate of the float search far from overflow.
inline constexpr double kMaxSquaredNorm = 0x1p120;
/// Dimensions up to this keep the sum of rounding errors below 2^-8 of what is summed.
inline constexpr int32_t kMaxScreenedDim = 1 << 16;

/// One codebook prepared for the search. `packed` holds panels of codes, one code to a lane:
/// [dim, vectors of the panel, lanes], the codes less `mean`. `half_norm` is h_k, infinite for codes
/// that cannot be chosen and for lanes beyond the last code.
struct VqBook {
  VqGroup group;
  const real* codes;  // [K, D], as given
  Panels panels;
  real* packed;         // [vectors * lanes, D] in panels
  real* half_norm;      // [vectors * lanes]
  real* mean;           // [D]
  real* panel_norm;     // [panels] largest |c - mean|^2 in the panel; infinite: search in binary64
  int32_t* first_code;  // [panels + 1]
  double max_norm = 0;  // C: no |c - mean| is larger, outliers apart
  double outlier_norm = std::numeric_limits<double>::infinity();  // no outlier's is smaller
  bool screened = true;

  static int64_t values(const VqGroup& group) {
    const Panels panels(group.codebook_size);
    const int64_t codes = panels.vectors * kRealLanes;
    return pad(codes * group.dim) + pad(codes) + pad(group.dim) + pad(panels.count) +
           pad(panels.count + 1);
  }
  VqBook(const VqGroup& g, const real* flat, real* memory)
      : group(g), codes(flat + g.codebook_begin), panels(g.codebook_size), packed(memory) {
    const int64_t lanes = panels.vectors * kRealLanes;
    half_norm = packed + pad(lanes * g.dim);
    mean = half_norm + pad(lanes);
    panel_norm = mean + pad(g.dim);
    static_assert(sizeof(real) >= sizeof(int32_t));
    first_code = reinterpret_cast<int32_t*>(panel_norm + pad(panels.count));
  }
  const real* code(int64_t k) const { return codes + k * group.dim; }

 private:
  static int64_t pad(int64_t values) { return (values + 15) / 16 * 16; }
};

inline bool all_finite(const real* x, int64_t n) {
  real sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i] * 0;
  return sum == 0;
}

/// The mean of the finite codes, or zero where that overflows. Any mean gives the same codes chosen;
/// one amid the codes gives a tight bound.
inline void find_mean(const VqBook& book) {
  const RealTag d;
  const int64_t dim = book.group.dim, count = book.group.codebook_size;
  const auto scale = hn::Set(d, real(1) / static_cast<real>(count));
  bool finite = true;
  for (int64_t i = 0; i < dim; i += kRealLanes) {
    const auto mask = hn::FirstN(d, static_cast<size_t>(std::min(kRealLanes, dim - i)));
    RealVec even = hn::Zero(d), odd = hn::Zero(d);
    int64_t k = 0;
    for (; k + 2 <= count; k += 2) {
      even = hn::Add(even, hn::MaskedLoad(mask, d, book.code(k) + i));
      odd = hn::Add(odd, hn::MaskedLoad(mask, d, book.code(k + 1) + i));
    }
    if (k < count) even = hn::Add(even, hn::MaskedLoad(mask, d, book.code(k) + i));
    const RealVec mean = hn::Mul(hn::Add(even, odd), scale);
    finite = finite && hn::AllTrue(d, hn::Lt(hn::Abs(mean), hn::Set(d, real(0x1p60))));
    hn::BlendedStore(mean, mask, d, book.mean + i);
  }
  if (finite) return;
  int64_t used = 0;
  std::fill_n(book.mean, dim, real(0));
  for (int64_t k = 0; k < count; ++k)
    if (all_finite(book.code(k), dim)) {
      ++used;
      for (int64_t i = 0; i < dim; ++i)
        book.mean[i] += (book.code(k)[i] - book.mean[i]) / static_cast<real>(used);
    }
  if (!all_finite(book.mean, dim)) std::fill_n(book.mean, dim, real(0));
}

/// Packs vector v of a panel and returns its largest squared norm; infinite where a finite code is
/// beyond the float search.
template <int kVectors>
HWY_INLINE real pack_vector(const VqBook& book, int64_t p, int v) {
  const RealTag d;
  const int64_t dim = book.group.dim;
  const int64_t first = (book.panels.begin(p) + v) * kRealLanes;
  real* out = book.packed + book.panels.begin(p) * kRealLanes * dim + v * kRealLanes;
  const real* rows[kRealLanes];
  for (int64_t l = 0; l < kRealLanes; ++l)
    rows[l] = book.code(std::min<int64_t>(first + l, book.group.codebook_size - 1));
  RealVec norm = hn::Zero(d);
  for_columns(rows, dim, [&](int64_t i, RealVec column) HWY_ATTR {
    const RealVec c = hn::Sub(column, hn::Set(d, book.mean[i]));
    norm = mul_add(c, c, norm);
    hn::StoreU(c, d, out + i * kVectors * kRealLanes);
  });
  alignas(64) real norms[kRealLanes];
  hn::Store(norm, d, norms);
  real largest = 0;
  for (int64_t l = 0; l < kRealLanes; ++l) {
    const bool exists = first + l < book.group.codebook_size;
    real& half_norm = book.half_norm[first + l];
    half_norm = norms[l] / 2;
    if (!(norms[l] <= kMaxSquaredNorm) || !exists) {
      if (exists && all_finite(rows[l], dim)) largest = std::numeric_limits<real>::infinity();
      half_norm = std::numeric_limits<real>::infinity();
      for (int64_t i = 0; i < dim; ++i) out[i * kVectors * kRealLanes + l] = 0;
    } else {
      largest = std::max(largest, norms[l]);
    }
  }
  return largest;
}

template <int kVectors>
void pack_codes(const VqBook& book, int64_t p) {
  real largest = 0;
  for (int v = 0; v < kVectors; ++v) largest = std::max(largest, pack_vector<kVectors>(book, p, v));
  book.panel_norm[p] = largest;
}

inline void pack_codes(const VqBook& book, int64_t p) {
  if (book.panels.width(p) == 3)
    pack_codes<3>(book, p);
  else if (book.panels.width(p) == 2)
    pack_codes<2>(book, p);
  else
    pack_codes<1>(book, p);
}

/// Takes codes far beyond the scale of the others out of the float search, whose bound grows with
/// the largest norm; rows that may be nearest to one of them are searched in binary64. Returns the
/// largest square among the rest.
inline double set_outliers_apart(VqBook& book, double largest) {
  constexpr double kFar = 64;  // eight times the norm
  std::vector<real> norms(book.panel_norm, book.panel_norm + book.panels.count);
  const auto middle = norms.begin() + (book.panels.count - 1) / 2;
  std::nth_element(norms.begin(), middle, norms.end());
  const double limit = kFar * *middle;
  if (largest <= limit) return largest;
  double largest_left = 0, least_outlier = largest;
  for (int64_t k = 0; k < book.group.codebook_size; ++k) {
    const double norm = 2.0 * book.half_norm[k];
    if (!std::isfinite(norm)) continue;
    if (norm <= limit) {
      largest_left = std::max(largest_left, norm);
    } else {
      least_outlier = std::min(least_outlier, norm);
      book.half_norm[k] = std::numeric_limits<real>::infinity();
    }
  }
  book.outlier_norm = std::sqrt(std::max(0.0, least_outlier * 0.98 - book.group.dim * 0x1p-148));
  return largest_left;
}

/// Draws the panels' norms together, once all are packed.
inline void finish_book(VqBook& book) {
  double largest = 0;
  for (int64_t p = 0; p <= book.panels.count; ++p)  // a division each
    book.first_code[p] = static_cast<int32_t>(book.panels.begin(p) * kRealLanes);
  for (int64_t p = 0; p < book.panels.count; ++p)
    largest = std::max<double>(largest, book.panel_norm[p]);
  book.screened = largest <= kMaxSquaredNorm && book.group.dim <= kMaxScreenedDim;
  if (book.screened && book.panels.count > 1) largest = set_outliers_apart(book, largest);
  // The norm of the true c' from its computed square, see the bound in vq_assign.cpp.
  book.max_norm = std::sqrt(largest * 1.02 + book.group.dim * 0x1p-148);
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
