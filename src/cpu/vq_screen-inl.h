// The float search: which codes can be nearest, once per target. The bound is in vq_assign.cpp.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "cpu/simd_scratch.h"
#include "cpu/vq_book-inl.h"
#include "cpu/vq_exact-inl.h"

#if defined(TESSERA_CPU_VQ_SCREEN_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CPU_VQ_SCREEN_INL_H
#undef TESSERA_CPU_VQ_SCREEN_INL_H
#else
#define TESSERA_CPU_VQ_SCREEN_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

/// Rows searched together: whole vectors, since lanes are rows while they are centred.
inline constexpr int64_t kMaxBlockRows = 32;
static_assert(kMaxBlockRows % kRealLanes == 0 && kRealLanes % kTileRows == 0);
/// Scores kept at a time, so that they are still in L1 when the block is decided.
inline constexpr int64_t kMaxScores = 8192;
/// Codes scored at a time; larger codebooks are searched part by part.
inline constexpr int64_t kPanelCodes = kTileVectors * kRealLanes;
inline constexpr int64_t kMaxPanelsAtOnce = (1024 + kPanelCodes - 1) / kPanelCodes;
/// The map of hits: this many bytes for each panel, one bit to a lane.
inline constexpr int64_t kHitBytes = (kRealLanes + 7) / 8;
inline constexpr int64_t kMaxHitWords = (kMaxPanelsAtOnce * kHitBytes + 7) / 8;
/// Candidates listed for a row; one with more is searched in binary64.
inline constexpr int64_t kMaxCandidates = 32;

/// Codes that can be the nearest to one row, of the panels looked at so far.
struct Candidates {
  real least = std::numeric_limits<real>::infinity();  // score
  int32_t count = 0;  // more than kMaxCandidates: not all are listed
  int32_t code[kMaxCandidates];
  real score[kMaxCandidates];
};

/// Working memory of one thread for blocks of rows of one codebook.
struct SearchBlock {
  int64_t rows;        // a multiple of kRealLanes
  int64_t active = 0;  // rows in use, up to whole vectors
  int64_t panels_at_once;
  int64_t score_pitch;     // codes at once
  double* reach;           // [rows] by how much a nearest code's score may be above the least
  uint64_t* hits;          // [rows, kMaxHitWords] lanes of panels that are within reach
  real* x;                 // [rows / lanes, dim, lanes] mean - x
  real* norm;              // [rows] |mean - x|^2
  real* scores;            // [rows, score_pitch]
  real* lows;              // [rows, panels_at_once, lanes] least score of each lane of a panel
  real* least;             // [rows] least score
  real* limit;             // [rows] least score + reach
  Candidates* candidates;  // [rows] where a codebook is searched part by part

  SearchBlock(const VqBook& book, int64_t rows_wanted, SimdScratch& scratch) {
    panels_at_once = std::min(book.panels.count, kMaxPanelsAtOnce);
    score_pitch = std::min(book.panels.vectors * kRealLanes, panels_at_once * kPanelCodes);
    const int64_t wanted = (rows_wanted + kRealLanes - 1) / kRealLanes * kRealLanes;
    const int64_t fit = kMaxScores / score_pitch / kRealLanes * kRealLanes;
    rows = std::min({wanted, std::max(fit, kRealLanes), kMaxBlockRows});
    const size_t bytes_of_row =
        (book.group.dim + score_pitch + panels_at_once * kRealLanes + 3) * sizeof(real) +
        kMaxHitWords * sizeof(uint64_t) + sizeof(double) + sizeof(Candidates);
    auto* memory = scratch.get<std::byte>(rows * bytes_of_row);
    const auto take = [&](auto*& to, int64_t count) {
      to = reinterpret_cast<std::remove_reference_t<decltype(to)>>(memory);
      memory += count * sizeof(*to);
    };
    take(hits, rows * kMaxHitWords);
    take(reach, rows);
    take(scores, rows * score_pitch);
    take(lows, rows * panels_at_once * kRealLanes);
    take(x, rows * book.group.dim);
    take(norm, rows);
    take(least, rows);
    take(limit, rows);
    take(candidates, rows);
  }
  real* lows_of(int64_t row) const { return lows + row * panels_at_once * kRealLanes; }
};

/// Centres rows [begin, begin + count) of the latents; lanes behind the last repeat it.
inline void center_rows(const VqBook& book, const MatrixView<const real>& latents, int64_t begin,
                        int64_t count, SearchBlock& block) {
  const RealTag d;
  const int64_t dim = book.group.dim;
  block.active = (count + kRealLanes - 1) / kRealLanes * kRealLanes;
  for (int64_t first = 0; first < count; first += kRealLanes) {
    const real* rows[kRealLanes];
    for (int64_t l = 0; l < kRealLanes; ++l)
      rows[l] = latents.data + (begin + std::min(first + l, count - 1)) * latents.ld +
                book.group.latent_begin;
    real* out = block.x + first * dim;
    RealVec norm = hn::Zero(d);
    for_columns(rows, dim, [&](int64_t i, RealVec column) HWY_ATTR {
      const RealVec x = hn::Sub(hn::Set(d, book.mean[i]), column);
      norm = mul_add(x, x, norm);
      hn::StoreU(x, d, out + i * kRealLanes);
    });
    hn::StoreU(norm, d, block.norm + first);
  }
}

/// How far above the least score a nearest code's can be: 2 E + T of the bound.
inline void find_reach(const VqBook& book, SearchBlock& block) {
  const DoubleTag d;
  const double dim = book.group.dim, norm = book.max_norm;
  const double e = 2 * 1.02 * (dim + 2) * 0x1p-24, t = (dim + 2) * 0x1p-51;
  const auto tiny = hn::Set(d, dim * 0x1p-148);
  const auto constant = hn::Set(d, (e + t) * norm * norm + (dim + 2) * 0x1p-146);
  for (int64_t r = 0; r < block.active; r += kDoubleLanes) {
    const auto square = mul_add(load_double(d, block.norm + r), hn::Set(d, 1.02), tiny);
    const auto linear = mul_add(hn::Sqrt(square), hn::Set(d, e * norm), constant);
    hn::StoreU(mul_add(square, hn::Set(d, t), linear), d, block.reach + r);
  }
}

/// Scores h_k - <x, c_k> of kTileRows rows with the codes of a panel, and the least of each lane.
template <int kVectors>
HWY_NOINLINE void score_tile(const real* x, const real* codes, const real* half_norm, int64_t dim,
                             real* HWY_RESTRICT scores, int64_t score_pitch,
                             real* HWY_RESTRICT lows, int64_t low_pitch) {
  const RealTag d;
  Tile<kTileRows, kVectors> acc;
#pragma GCC unroll 4
  for (int v = 0; v < kVectors; ++v) {
    const RealVec start = hn::LoadU(d, half_norm + v * kRealLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kTileRows; ++r) acc[r][v] = start;
  }
  accumulate<kTileRows, kVectors>(x, 1, kRealLanes, codes, kVectors * kRealLanes, dim, acc);
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows; ++r) {
    RealVec low = acc[r][0];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      hn::StoreU(acc[r][v], d, scores + r * score_pitch + v * kRealLanes);
      if (v > 0) low = hn::Min(low, acc[r][v]);
    }
    hn::StoreU(low, d, lows + r * low_pitch);
  }
}

template <int kVectors>
void score_panel(const VqBook& book, int64_t p, int64_t first_panel, SearchBlock& block) {
  const int64_t dim = book.group.dim, begin = book.first_code[p];
  real* scores = block.scores + begin - book.first_code[first_panel];
  for (int64_t r = 0; r < block.active; r += kTileRows) {
    const real* x = block.x + r / kRealLanes * kRealLanes * dim + r % kRealLanes;
    score_tile<kVectors>(x, book.packed + begin * dim, book.half_norm + begin, dim,
                         scores + r * block.score_pitch, block.score_pitch,
                         block.lows_of(r) + (p - first_panel) * kRealLanes,
                         block.panels_at_once * kRealLanes);
  }
}

/// Scores of all rows of the block with panels [first, last).
inline void score_panels(const VqBook& book, int64_t first, int64_t last, SearchBlock& block) {
  for (int64_t p = first; p < last; ++p) {
    const int64_t codes = book.first_code[p + 1] - book.first_code[p];
    if (codes == 3 * kRealLanes)
      score_panel<3>(book, p, first, block);
    else if (codes == 2 * kRealLanes)
      score_panel<2>(book, p, first, block);
    else
      score_panel<1>(book, p, first, block);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
