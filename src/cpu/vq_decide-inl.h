// From scores to codes, once per target. The bound is in vq_assign.cpp.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "cpu/vq_exact-inl.h"
#include "cpu/vq_screen-inl.h"

#if defined(TESSERA_CPU_VQ_DECIDE_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CPU_VQ_DECIDE_INL_H
#undef TESSERA_CPU_VQ_DECIDE_INL_H
#else
#define TESSERA_CPU_VQ_DECIDE_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

/// The least score of every row among `panels` panels.
inline void find_least(const SearchBlock& block, int64_t panels) {
  const RealTag d;
  for (int64_t r = 0; r < block.active; ++r) {
    const real* lows = block.lows_of(r);
    RealVec low = hn::LoadU(d, lows);
    for (int64_t p = 1; p < panels; ++p) low = hn::Min(low, hn::LoadU(d, lows + p * kRealLanes));
    block.least[r] = hn::GetLane(hn::MinOfLanes(d, low));
  }
}

/// limit = least + reach, rounded up.
inline void find_limits(const SearchBlock& block) {
  const DoubleTag d;
  for (int64_t r = 0; r < block.active; r += kDoubleLanes) {
    const auto sum = hn::Add(load_double(d, block.least + r), hn::LoadU(d, block.reach + r));
    const auto up = mul_add(hn::Abs(sum), hn::Set(d, 0x1p-23), sum);
    store_double(up, d, block.limit + r);
  }
}

/// Marks the lanes of panels that are within reach.
inline void find_hits(const SearchBlock& block, int64_t panels) {
  const RealTag d;
  for (int64_t r = 0; r < block.active; ++r) {
    const real* lows = block.lows_of(r);
    const auto limit = hn::Set(d, block.limit[r]);
    uint64_t* words = block.hits + r * kMaxHitWords;
    words[(panels * kHitBytes - 1) / 8] = 0;
    auto* bytes = reinterpret_cast<uint8_t*>(words);
    for (int64_t p = 0; p < panels; ++p)
      hn::StoreMaskBits(d, hn::Le(hn::LoadU(d, lows + p * kRealLanes), limit),
                        bytes + p * kHitBytes);
  }
}

inline constexpr int64_t kHitBits = 8 * kHitBytes;

/// The one code of the row within reach, or -1 where there are others or none. No branch depends on
/// which it is.
inline int32_t only_candidate(const VqBook& book, const SearchBlock& block, int64_t r,
                              int64_t words) {
  const uint64_t* hits = block.hits + r * kMaxHitWords;
  int64_t position = 0;
  int lanes = 0;
  for (int64_t w = 0; w < words; ++w) {
    lanes += std::popcount(hits[w]);
    position = hits[w] != 0 ? 64 * w + std::countr_zero(hits[w]) : position;
  }
  const int64_t p = position / kHitBits;
  const int32_t first = book.first_code[p] + static_cast<int32_t>(position % kHitBits);
  const int32_t end = book.first_code[p + 1];
  const real* scores = block.scores + r * block.score_pitch;
  const real limit = block.limit[r];
  int32_t count = 0, code = 0;
#pragma GCC unroll 4
  for (int32_t v = 0; v < kTileVectors; ++v) {
    const int32_t k = first + v * static_cast<int32_t>(kRealLanes);
    const bool near = (k < end) & (scores[k < end ? k : first] <= limit);
    count += near;
    code = near ? k : code;
  }
  return (lanes == 1) & (count == 1) ? code : -1;
}

/// Adds the hits of panels [first, last) to the row's candidates, and drops those that are not any
/// more.
inline void collect(const VqBook& book, const SearchBlock& block, int64_t r, int64_t first,
                    int64_t last, Candidates& list) {
  const real limit = block.limit[r];
  if (list.count <= kMaxCandidates) {
    int32_t kept = 0;
    for (int32_t i = 0; i < list.count; ++i)
      if (list.score[i] <= limit) {
        list.code[kept] = list.code[i];
        list.score[kept++] = list.score[i];
      }
    list.count = kept;
  }
  const uint64_t* hits = block.hits + r * kMaxHitWords;
  const real* scores = block.scores + r * block.score_pitch;
  const int64_t words = ((last - first) * kHitBytes + 7) / 8;
  for (int64_t w = 0; w < words; ++w)
    for (uint64_t word = hits[w]; word != 0; word &= word - 1) {
      const int64_t position = 64 * w + std::countr_zero(word);
      const int64_t p = first + position / kHitBits;
      for (int32_t k = book.first_code[p] + static_cast<int32_t>(position % kHitBits);
           k < book.first_code[p + 1]; k += static_cast<int32_t>(kRealLanes)) {
        const real score = scores[k - book.first_code[first]];
        if (!(score <= limit) || std::isinf(score)) continue;  // infinite: not to be chosen
        if (list.count < kMaxCandidates) {
          list.code[list.count] = k;
          list.score[list.count] = score;
        }
        ++list.count;
      }
    }
}

/// The nearest of the candidates.
inline int32_t decide(const VqBook& book, const real* x, const Candidates& list) {
  if (list.count > kMaxCandidates)
    return exact_scan(x, book.codes, book.group.codebook_size, book.group.dim);
  if (list.count == 1) return list.code[0];
  double best = std::numeric_limits<double>::infinity();
  int32_t nearest = 0;
  for (int32_t i = 0; i < list.count; ++i) {
    const double dist = exact_distance(x, book.code(list.code[i]), book.group.dim);
    if (dist < best || (dist == best && list.code[i] < nearest)) {
      best = dist;
      nearest = list.code[i];
    }
  }
  return nearest;
}

/// Whether an outlier of the codebook may be nearest to row r. Outliers have |c'| >= R, so for a row
/// with |x'| <= X < R their s = |c'|^2 / 2 - <x', c'> is at least R (R / 2 - X); a nearest code's is
/// at most the row's limit.
inline bool outlier_is_near(const VqBook& book, const SearchBlock& block, int64_t r) {
  const double radius = book.outlier_norm;
  if (std::isinf(radius)) return false;
  const double x = std::sqrt(1.02 * block.norm[r] + book.group.dim * 0x1p-148);
  return !(x < radius && radius * (radius / 2 - x) > block.limit[r]);
}

/// Nearest codes of rows [begin, begin + count), count <= block.rows. Rows the float search cannot
/// take (not finite, beyond the scale of floats squared, or near outliers) get -1.
inline void search_block(const VqBook& book, const MatrixView<const real>& latents, int64_t begin,
                         int64_t count, SearchBlock& block, int32_t* nearest) {
  center_rows(book, latents, begin, count, block);
  find_reach(book, block);
  const auto row = [&](int64_t r) {
    return latents.data + (begin + r) * latents.ld + book.group.latent_begin;
  };
  const auto is_screened = [&](int64_t r) {
    return block.norm[r] <= kMaxSquaredNorm && !outlier_is_near(book, block, r);
  };

  if (book.panels.count <= block.panels_at_once) {
    score_panels(book, 0, book.panels.count, block);
    find_least(block, book.panels.count);
    find_limits(block);
    find_hits(block, book.panels.count);
    const int64_t words = (book.panels.count * kHitBytes + 7) / 8;
    for (int64_t r = 0; r < count; ++r) {
      nearest[r] = is_screened(r) ? only_candidate(book, block, r, words) : -1;
      if (nearest[r] >= 0 || !is_screened(r)) continue;
      Candidates& list = block.candidates[0];
      list.count = 0;
      collect(book, block, r, 0, book.panels.count, list);
      nearest[r] = decide(book, row(r), list);
    }
    return;
  }
  for (int64_t r = 0; r < count; ++r) {
    block.candidates[r].least = std::numeric_limits<real>::infinity();
    block.candidates[r].count = 0;
  }
  for (int64_t first = 0; first < book.panels.count; first += block.panels_at_once) {
    const int64_t last = std::min(first + block.panels_at_once, book.panels.count);
    score_panels(book, first, last, block);
    find_least(block, last - first);
    for (int64_t r = 0; r < count; ++r)
      block.least[r] = block.candidates[r].least =
          std::min(block.least[r], block.candidates[r].least);
    find_limits(block);
    find_hits(block, last - first);
    for (int64_t r = 0; r < count; ++r)
      if (block.norm[r] <= kMaxSquaredNorm)
        collect(book, block, r, first, last, block.candidates[r]);
  }
  for (int64_t r = 0; r < count; ++r)
    nearest[r] = is_screened(r) ? decide(book, row(r), block.candidates[r]) : -1;
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
