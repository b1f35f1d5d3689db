// One sample of the Gray-Scott reaction in the first-level cache, once per target; see
// tessera/kernels/gray_scott.h.
//
// A step works in place. Row i of the new field needs rows i - 1, i and i + 1 of the old one, so going
// down it may overwrite row i - 1: the whole field moves up by one row, and the next step, going up,
// moves it down again. Nothing is copied but the rows and columns that wrap around.
//
// Cost: 15 instructions on vectors and 12 loads and stores per vector of cells. Both fields take 43 KB.

#include <cstdint>
#include <cstring>

#include "cpu/simd-inl.h"
#include "tessera/kernels/gray_scott.h"

#if defined(TESSERA_CPU_GRAY_SCOTT_SOLVER_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CPU_GRAY_SCOTT_SOLVER_INL_H
#undef TESSERA_CPU_GRAY_SCOTT_SOLVER_INL_H
#else
#define TESSERA_CPU_GRAY_SCOTT_SOLVER_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

/// A row and its border: cell -1 is the last place of the row before, cell 64 the first of the border.
inline constexpr int64_t kGrayPitch = kGraySide + 16;
/// Values of one field: rows -1 to 65 in memory, and the border before the first.
inline constexpr int64_t kGrayStorage = 16 + (kGraySide + 3) * kGrayPitch;

/// One field. `first` is where row 0 starts, which steps move; rows -1 and 64 and columns -1 and 64
/// are what the torus has there.
struct GrayField {
  real* first;

  real* row(int64_t i) const { return first + i * kGrayPitch; }
  static void wrap_columns(real* row) {
    row[-1] = row[kGraySide - 1];
    row[kGraySide] = row[0];
  }
  void wrap_rows() const {
    constexpr size_t kBytes = (kGraySide + 2) * sizeof(real);
    std::memcpy(row(-1) - 1, row(kGraySide - 1) - 1, kBytes);
    std::memcpy(row(kGraySide) - 1, row(0) - 1, kBytes);
  }
  void load(const real* cells) const {
    for (int64_t i = 0; i < kGraySide; ++i) {
      std::memcpy(row(i), cells + i * kGraySide, kGraySide * sizeof(real));
      wrap_columns(row(i));
    }
    wrap_rows();
  }
  void store(real* cells) const {
    for (int64_t i = 0; i < kGraySide; ++i)
      std::memcpy(cells + i * kGraySide, row(i), kGraySide * sizeof(real));
  }
};

/// The rates as factors of u, v and their neighbours.
struct GrayFactors {
  real feed, du, dv, keep_u, keep_v;
  explicit GrayFactors(const GrayScottRates& r)
      : feed(r.feed),
        du(r.diffusion_u),
        dv(r.diffusion_v),
        keep_u(1 - r.feed - 4 * r.diffusion_u),
        keep_v(1 - (r.feed + r.kill) - 4 * r.diffusion_v) {}
};

/// One row of new values from the rows around p and q, written `shift` values away.
HWY_INLINE void gray_row(const GrayFactors& f, real* p, real* q, int64_t shift) {
  const RealTag d;
  const auto feed = hn::Set(d, f.feed), du = hn::Set(d, f.du), dv = hn::Set(d, f.dv);
  const auto keep_u = hn::Set(d, f.keep_u), keep_v = hn::Set(d, f.keep_v);
  const auto smallest = hn::Set(d, real(1e-15));
  // The neighbours of a vector are read before the next is written: `shift` is a whole row.
  for (int64_t x = 0; x < kGraySide; x += kRealLanes) {
    const auto around = [&](const real* c) HWY_ATTR {
      return hn::Add(hn::Add(hn::LoadU(d, c - 1), hn::LoadU(d, c + 1)),
                     hn::Add(hn::Load(d, c - kGrayPitch), hn::Load(d, c + kGrayPitch)));
    };
    const auto u = hn::Load(d, p + x), v = hn::Load(d, q + x);
    const auto reaction = hn::Mul(u, hn::Mul(v, v));
    const auto next_u = hn::Sub(mul_add(du, around(p + x), mul_add(keep_u, u, feed)), reaction);
    const auto next_v = mul_add(dv, around(q + x), mul_add(keep_v, v, reaction));
    hn::Store(next_u, d, p + x + shift);
    // Dying fields fall by a factor a step; denormal numbers would take a hundred times as long.
    hn::Store(hn::IfThenElseZero(hn::Gt(next_v, smallest), next_v), d, q + x + shift);
  }
  GrayField::wrap_columns(p + shift);
  GrayField::wrap_columns(q + shift);
}

/// An even number of steps leaves the fields where they were, an odd one a row higher or lower.
HWY_INLINE void gray_steps(const GrayFactors& f, GrayField& u, GrayField& v, int64_t steps,
                           bool& low) {
  for (int64_t step = 0; step < steps; ++step) {
    if (low)
      for (int64_t i = 0; i < kGraySide; ++i) gray_row(f, u.row(i), v.row(i), -kGrayPitch);
    else
      for (int64_t i = kGraySide; i-- > 0;) gray_row(f, u.row(i), v.row(i), kGrayPitch);
    const int64_t moved = low ? -kGrayPitch : kGrayPitch;
    u.first += moved;
    v.first += moved;
    low = !low;
    u.wrap_rows();
    v.wrap_rows();
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
