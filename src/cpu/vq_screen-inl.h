// The float search: which codes can be nearest, once per target. The bound is in vq_assign.cpp.

#include <algorithm>
#include <bit>
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
/// Scores kept at a time, 64 KB, and codes they are for: they stay near while a block is decided.
inline constexpr int64_t kMaxScores = 16384;
inline constexpr int64_t kMaxCodesAtOnce = kMaxScores / kRealLanes;
/// Candidates listed for a row; one with more is searched in binary64.
inline constexpr int64_t kMaxCandidates = 32;

/// What is known of one row: the lowest score so far and every code within reach of it.
struct RowState {
  real best;
  int32_t count;  // more than kMaxCandidates: not all are listed
  int32_t code[kMaxCandidates];
  real score[kMaxCandidates];
};

/// Working memory of one thread for blocks of `rows` rows of one codebook.
struct SearchBlock {
  int64_t rows;        // a multiple of kRealLanes
  int64_t active = 0;  // rows in use, up to whole vectors
  int64_t panels_at_once;
  int64_t score_pitch;  // codes at once
  real* x;              // [rows / lanes, dim, lanes] mean - x
  real* norm;           // [rows] |mean - x|^2
  double* reach;        // [rows]
  real* scores;         // [rows, score_pitch]
  real* lows;           // [rows, panels_at_once, lanes] least score of each lane of a panel
  RowState* states;     // [rows]

  SearchBlock(const VqBook& book, int64_t rows_wanted, SimdScratch& scratch) {
    constexpr int64_t kPanelCodes = kTileVectors * kRealLanes;
    panels_at_once = std::min(book.panels.count, kMaxCodesAtOnce / kPanelCodes);
    score_pitch = std::min(book.panels.vectors * kRealLanes, panels_at_once * kPanelCodes);
    const int64_t wanted = (rows_wanted + kRealLanes - 1) / kRealLanes * kRealLanes;
    const int64_t fit = kMaxScores / score_pitch / kRealLanes * kRealLanes;
    rows = std::min({wanted, fit, kMaxBlockRows});
    const int64_t x_values = rows * book.group.dim, low_values = rows * panels_at_once * kRealLanes;
    const size_t bytes = (x_values + rows * score_pitch + low_values + rows) * sizeof(real) +
                         rows * (sizeof(double) + sizeof(RowState)) + 64;
    auto* memory = scratch.get<std::byte>(bytes);
    const auto take = [&](auto*& to, int64_t count) {
      to = reinterpret_cast<std::remove_reference_t<decltype(to)>>(memory);
      memory += count * sizeof(*to);
    };
    take(reach, rows);
    take(scores, rows * score_pitch);
    take(lows, low_values);
    take(x, x_values);
    take(norm, rows);
    take(states, rows);
  }
};

/// Centres rows [0, count) given by their addresses; those behind the last repeat it.
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
  const int64_t dim = book.group.dim, begin = book.panels.begin(p);
  const real* codes = book.packed + begin * kRealLanes * dim;
  real* scores = block.scores + (begin - book.panels.begin(first_panel)) * kRealLanes;
  real* lows = block.lows + (p - first_panel) * kRealLanes;
  const int64_t low_pitch = block.panels_at_once * kRealLanes;
  for (int64_t r = 0; r < block.active; r += kTileRows) {
    const real* x = block.x + r / kRealLanes * kRealLanes * dim + r % kRealLanes;
    score_tile<kVectors>(x, codes, book.half_norm + begin * kRealLanes, dim,
                         scores + r * block.score_pitch, block.score_pitch, lows + r * low_pitch,
                         low_pitch);
  }
}

/// The float at or above low + reach.
inline real threshold(real low, double reach) {
  const double sum = static_cast<double>(low) + reach;
  return static_cast<real>(sum + std::abs(sum) * 0x1p-23);
}

/// Adds to the row's list the codes of panels [first, last) that can be nearest.
inline void collect(const VqBook& book, const SearchBlock& block, int64_t row, int64_t first,
                    int64_t last, RowState& state) {
  const RealTag d;
  const real* lows = block.lows + row * block.panels_at_once * kRealLanes;
  const int64_t panels = last - first;
  RealVec low = hn::LoadU(d, lows);
  for (int64_t p = 1; p < panels; ++p) low = hn::Min(low, hn::LoadU(d, lows + p * kRealLanes));
  const real best = std::min(state.best, hn::GetLane(hn::MinOfLanes(d, low)));
  const real limit = threshold(best, block.reach[row]);
  if (best < state.best && state.count > 0 && state.count <= kMaxCandidates) {
    int32_t kept = 0;
    for (int32_t i = 0; i < state.count; ++i)
      if (state.score[i] <= limit) {
        state.code[kept] = state.code[i];
        state.score[kept++] = state.score[i];
      }
    state.count = kept;
  }
  state.best = best;

  const int64_t origin = book.panels.begin(first) * kRealLanes;
  const real* scores = block.scores + row * block.score_pitch;
  const auto limits = hn::Set(d, limit);
  for (int64_t p = 0; p < panels; ++p) {
    const auto hit = hn::Le(hn::LoadU(d, lows + p * kRealLanes), limits);
    if (hn::AllFalse(d, hit)) continue;
    alignas(8) uint8_t bytes[8] = {};
    hn::StoreMaskBits(d, hit, bytes);
    const int64_t begin = book.panels.begin(first + p) * kRealLanes;
    const int64_t end = book.panels.begin(first + p + 1) * kRealLanes;
    for (uint32_t bits = bytes[0] | bytes[1] << 8; bits != 0; bits &= bits - 1)
      for (int64_t k = begin + std::countr_zero(bits); k < end; k += kRealLanes) {
        const real score = scores[k - origin];
        if (!(score <= limit)) continue;
        if (state.count < kMaxCandidates) {
          state.code[state.count] = static_cast<int32_t>(k);
          state.score[state.count] = score;
        }
        ++state.count;
      }
  }
}

/// The nearest code of a row whose candidates are known.
inline int32_t decide(const VqBook& book, const real* x, const RowState& state) {
  if (state.count == 1) return state.code[0];
  if (state.count > kMaxCandidates)
    return exact_scan(x, book.codes, book.group.codebook_size, book.group.dim);
  double best = std::numeric_limits<double>::infinity();
  int32_t nearest = 0;
  for (int32_t i = 0; i < state.count; ++i) {
    const double dist = exact_distance(x, book.code(state.code[i]), book.group.dim);
    if (dist < best || (dist == best && state.code[i] < nearest)) {
      best = dist;
      nearest = state.code[i];
    }
  }
  return nearest;
}

/// Nearest codes of rows [begin, begin + count), count <= block.rows. Rows the float search cannot
/// take (not finite, or far beyond the codes' scale) get -1.
inline void search_block(const VqBook& book, const MatrixView<const real>& latents, int64_t begin,
                         int64_t count, SearchBlock& block, int32_t* nearest) {
  center_rows(book, latents, begin, count, block);
  find_reach(book, block);
  for (int64_t r = 0; r < count; ++r) {
    block.states[r].best = std::numeric_limits<real>::infinity();
    block.states[r].count = 0;
  }
  for (int64_t first = 0; first < book.panels.count; first += block.panels_at_once) {
    const int64_t last = std::min(first + block.panels_at_once, book.panels.count);
    for (int64_t p = first; p < last; ++p) {
      if (book.panels.width(p) == 3)
        score_panel<3>(book, p, first, block);
      else if (book.panels.width(p) == 2)
        score_panel<2>(book, p, first, block);
      else
        score_panel<1>(book, p, first, block);
    }
    for (int64_t r = 0; r < count; ++r)
      if (block.norm[r] <= kMaxSquaredNorm) collect(book, block, r, first, last, block.states[r]);
  }
  for (int64_t r = 0; r < count; ++r) {
    const real* x = latents.data + (begin + r) * latents.ld + book.group.latent_begin;
    nearest[r] = block.norm[r] <= kMaxSquaredNorm ? decide(book, x, block.states[r]) : -1;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
