// Nearest-code search: contract and formula in tessera/kernels/vq_assign.h.
//
// Mapping    codebooks are packed once for each call, a code to a lane. A chunk is some rows of one
//            group. It scores blocks of rows against panels of codes in register tiles (the tile of
//            matmul), lists the codes that can be nearest, and decides among several in binary64.
// Cost       2*N*K*D flop in float, 2*K*D for packing; scores of 32 rows at most exist at a time.
//            60 to 85 % of an AVX-512 core's measured peak from D = 32 on (tessera_bench); at D = 4 the
//            stores of scores bound it.
// Exactness  the bound below; the codes are those of the definition whatever float rounding did.
//
// The bound. Let u = 2^-24, mu any float vector (here the mean code), x' = x - mu, c' = c - mu,
// h = |c'|^2 / 2 and s = h - <x', c'>, all real numbers: |x - c|^2 = |x'|^2 + 2 s, so the nearest code
// has the least s. Floats: x^ = fl(x - mu), c^ = fl(c - mu), each entry within u |entry| of the true
// one; h^ = half a chain of D multiply-adds over c^2; s^ = a chain of D multiply-adds from h^. With
// X >= |x'|, C >= |c'| for all codes, g = D u / (1 - D u) and underflow at 2^-150 a step:
//   |h^ - h|                     <= ((1 + g)(1 + u)^2 - 1) h + D 2^-150
//   |s^ - (h^ - <x^, c^>)|       <= g (h^ + |x^| |c^|) + D 2^-150
//   |<x^, c^> - <x', c'>|        <= ((1 + u)^2 - 1) X C
// and as h <= C^2 / 2 and D <= 2^16 (so that all second-order terms are within 2 %):
//   |s^ - s| <= E := 1.02 (D + 2) u (C^2 + X C) + D 2^-148.
// The definition's binary64 distance is within (D + 2) 2^-53 of the true one, relatively, and
// |x - c|^2 <= 2 (X^2 + C^2). A code w that is nearest by definition therefore has, for any k,
//   s_w <= s_k + T,  T := (D + 2) 2^-51 (X^2 + C^2),   hence   s^_w <= min_k s^_k + 2 E + T.
// All codes up to that limit are candidates, so w and every code equal to it are among them; one
// candidate alone needs no more. X and C come from float chains too: X^2 <= 1.02 |x^|^2 + D 2^-148.
// Norms up to 2^60 keep all this from overflow; other rows and codebooks are searched in binary64, and
// so are rows that codes of far larger norm than the rest may be nearest to (outlier_is_near).

#define HWY_TARGET_INCLUDE "cpu/vq_assign.cpp"
#include "cpu/simd_targets.h"
// First the targets, then all else.
#include <algorithm>
#include <atomic>
#include <vector>

#include "cpu/cpu_context.h"
#include "cpu/simd_scratch.h"
#include "cpu/vq_decide-inl.h"
#include "tessera/error.h"
#include "tessera/kernels/vq_assign.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

// Multiply-adds of a chunk, some 20 microseconds of one core.
inline constexpr int64_t kChunkWork = int64_t{1} << 21;
// Rows that pass through all groups before the next do: groups share the cache lines of latents.
inline constexpr int64_t kBandRows = 512;
inline constexpr bool kScreens = sizeof(real) == sizeof(float);

/// Writes what belongs to rows [begin, begin + count), count <= kMaxBlockRows, of group g.
void write_rows(const VqAssign& a, const VqBook& book, int32_t g, int64_t begin, int64_t count,
                const int32_t* nearest) {
  const RealTag d;
  const int64_t dim = book.group.dim;
  const auto tail = hn::FirstN(d, static_cast<size_t>(dim % kRealLanes));
  for (int64_t r = 0; r < count; ++r) a.codes.data[(begin + r) * a.codes.ld + g] = nearest[r];
  if (a.quantized.data != nullptr)
    for (int64_t r = 0; r < count; ++r) {
      const real* code = book.code(nearest[r]);
      real* to = a.quantized.data + (begin + r) * a.quantized.ld + book.group.latent_begin;
      int64_t i = 0;
      for (; i + kRealLanes <= dim; i += kRealLanes) hn::StoreU(hn::LoadU(d, code + i), d, to + i);
      if (i < dim) hn::BlendedStore(hn::MaskedLoad(tail, d, code + i), tail, d, to + i);
    }
  if (a.sq_dist.data == nullptr) return;
  for (int64_t first = 0; first < count; first += kRealLanes) {
    const real *rows[kRealLanes], *codes[kRealLanes];
    for (int64_t l = 0; l < kRealLanes; ++l) {
      const int64_t r = std::min(first + l, count - 1);
      rows[l] = a.latents.data + (begin + r) * a.latents.ld + book.group.latent_begin;
      codes[l] = book.code(nearest[r]);
    }
    double dist[kRealLanes];
    exact_distances(rows, codes, dim, dist);
    for (int64_t l = 0; l < std::min(kRealLanes, count - first); ++l)
      a.sq_dist.data[(begin + first + l) * a.sq_dist.ld + g] = static_cast<real>(dist[l]);
  }
}

/// Rows [begin, end) of group g; returns how many are not finite.
int32_t assign_rows(const VqAssign& a, const VqBook& book, int32_t g, int64_t begin, int64_t end) {
  thread_local SimdScratch scratch;
  const int64_t dim = book.group.dim;
  SearchBlock block(book, end - begin, scratch);
  int32_t nearest[std::max(kMaxBlockRows, kRealLanes)];
  int32_t nonfinite = 0;
  for (int64_t row = begin; row < end; row += block.rows) {
    const int64_t count = std::min(block.rows, end - row);
    if (kScreens && book.screened)
      search_block(book, a.latents, row, count, block, nearest);
    else
      std::fill_n(nearest, count, -1);
    for (int64_t r = 0; r < count; ++r) {
      if (nearest[r] >= 0) continue;
      const real* x = a.latents.data + (row + r) * a.latents.ld + book.group.latent_begin;
      const bool finite = all_finite(x, dim);
      nonfinite += finite ? 0 : 1;
      nearest[r] = finite ? exact_scan(x, book.codes, book.group.codebook_size, dim) : 0;
    }
    write_rows(a, book, g, row, count, nearest);
  }
  return nonfinite;
}

/// All groups packed, and which panels and chunks of rows are whose.
struct Search {
  std::vector<VqBook> books;
  std::vector<int64_t> chunk_rows;                // [G] a divisor of kBandRows
  std::vector<int64_t> first_panel, first_chunk;  // [G + 1], chunks counted within a band

  /// The group that owns item i of a list of firsts.
  static int32_t owner(const std::vector<int64_t>& firsts, int64_t i) {
    return static_cast<int32_t>(std::upper_bound(firsts.begin(), firsts.end(), i) - firsts.begin() -
                                1);
  }
};

void prepare(const VqAssign& a, SimdScratch& scratch, Search& search) {
  int64_t values = 0;
  for (int32_t g = 0; g < a.groups.count; ++g) values += VqBook::values(a.groups[g]);
  real* memory = scratch.get<real>(kScreens ? values : 0);
  search.books.clear();
  search.chunk_rows.clear();
  search.first_panel.assign(1, 0);
  search.first_chunk.assign(1, 0);
  const int64_t band = std::min(kBandRows, a.latents.rows);
  for (int32_t g = 0; g < a.groups.count; ++g) {
    const VqGroup& group = a.groups[g];
    search.books.emplace_back(group, a.codebooks.data, memory);
    memory += kScreens ? VqBook::values(group) : 0;
    int64_t rows = kBandRows;
    while (rows > kMaxBlockRows && rows * group.dim * group.codebook_size > kChunkWork) rows /= 2;
    search.chunk_rows.push_back(rows);
    search.first_panel.push_back(search.first_panel.back() + search.books.back().panels.count);
    search.first_chunk.push_back(search.first_chunk.back() + (band + rows - 1) / rows);
  }
}

void assign(ThreadPool& pool, const VqAssign& a) {
  thread_local SimdScratch scratch;
  thread_local Search own_search;
  Search& search = own_search;
  prepare(a, scratch, search);
  if (kScreens) {
    pool.run(a.groups.count, [&search](int64_t g) { find_mean(search.books[g]); });
    pool.run(search.first_panel.back(), [&search](int64_t i) {
      const int32_t g = Search::owner(search.first_panel, i);
      pack_codes(search.books[g], i - search.first_panel[g]);
    });
    for (VqBook& book : search.books) finish_book(book);
  }
  const int64_t bands = (a.latents.rows + kBandRows - 1) / kBandRows;
  pool.run(bands * search.first_chunk.back(), [&a, &search](int64_t chunk) {
    const int64_t band = chunk / search.first_chunk.back();
    const int64_t i = chunk % search.first_chunk.back();
    const int32_t g = Search::owner(search.first_chunk, i);
    const int64_t begin = band * kBandRows + (i - search.first_chunk[g]) * search.chunk_rows[g];
    const int64_t end = std::min(begin + search.chunk_rows[g], a.latents.rows);
    if (begin >= end) return;  // the last band may be shorter
    const int32_t nonfinite = assign_rows(a, search.books[g], g, begin, end);
    if (nonfinite != 0 && a.nonfinite.data != nullptr)
      std::atomic_ref<int32_t>(a.nonfinite.data[0]).fetch_add(nonfinite, std::memory_order_relaxed);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {

HWY_EXPORT(assign);

void vq_assign(CpuContext& context, const VqAssign& a) {
  TESSERA_CHECK(a.codes.rows == a.latents.rows && a.codes.cols == a.groups.count,
                "vq_assign: codes [", a.codes.rows, ", ", a.codes.cols, "] for ", a.latents.rows,
                " latents and ", a.groups.count, " groups");
  context.enqueue("vq_assign", [&] {
    if (a.latents.rows > 0) HWY_DYNAMIC_DISPATCH(assign)(context.pool(), a);
  });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
