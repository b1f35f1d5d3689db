// Correlation of columns: contract and formula in tessera/kernels/correlation.h.
//
// Mapping    bands of kBandRows rows are centred and packed as doubles, in panels of three vectors of
//            columns: [panel, row, kWidth]. A chunk is one pair of panels: it walks the band in
//            blocks that stay in L1, tile by tile, and keeps its sums in memory of its own. Only
//            pairs above the diagonal are computed.
// Cost       N*D^2 flop, half of the full product; reads x twice. Bound by multiply-adds: the band
//            (4 MB at D = 500) is read from L2 and L3 at 5 bytes a cycle and core.
// Exactness  the contract's bits: cutting a slice only stores and reloads sums, which is exact.

#define HWY_TARGET_INCLUDE "cpu/correlation.cpp"
#include "cpu/simd_targets.h"
// First the targets, then all else.
#include <algorithm>
#include <vector>

#include "cpu/cpu_context.h"
#include "cpu/simd_scratch.h"
#include "cpu/simd_tile-inl.h"
#include "tessera/error.h"
#include "tessera/kernels/correlation.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

inline constexpr int64_t kBandRows = 1024;   // packed at a time; divides a slice
inline constexpr int64_t kBlockRows = 128;   // of a panel: half of L1
inline constexpr int64_t kPackedRows = 32;   // by one chunk
inline constexpr int64_t kMeanColumns = 64;  // by one chunk
inline constexpr int64_t kWidth = kTileVectors * kDoubleLanes;
inline constexpr int64_t kPairSums = kWidth * kWidth;
static_assert(Correlation::kSlice % kBandRows == 0 && kWidth % kTileRows == 0);

/// Means of the columns [first, first + kMeanColumns) that there are.
void column_means(const Correlation& a, int64_t first) {
  const DoubleTag d;
  const int64_t cols = std::min(kMeanColumns, a.x.cols - first);
  alignas(64) double lanes[Correlation::kLanes][kMeanColumns] = {};
  for (int64_t n = 0; n < a.x.rows; ++n) {
    const real* row = a.x.data + n * a.x.ld + first;
    double* lane = lanes[n % Correlation::kLanes];
    int64_t c = 0;
    for (; c + kDoubleLanes <= cols; c += kDoubleLanes)
      hn::Store(hn::Add(hn::Load(d, lane + c), load_double(d, row + c)), d, lane + c);
    for (; c < cols; ++c) lane[c] += static_cast<double>(row[c]);
  }
  for (int64_t c = 0; c < cols; ++c) {
    double sum = 0;
    for (const auto& lane : lanes) sum += lane[c];
    a.means.data[first + c] = sum / static_cast<double>(a.x.rows);
  }
}

/// Centres rows [begin, end) of x into all panels. `packed` is the band's, whose first row is `band`.
void pack_rows(const Correlation& a, int64_t band, int64_t begin, int64_t end, double* packed) {
  const DoubleTag d;
  for (int64_t n = begin; n < end; ++n) {
    const real* row = a.x.data + n * a.x.ld;
    double* out = packed + (n - band) * kWidth;
    int64_t c = 0;
    for (; c + kWidth <= a.x.cols; c += kWidth, out += kBandRows * kWidth)
      for (int64_t v = 0; v < kWidth; v += kDoubleLanes)
        hn::StoreU(hn::Sub(load_double(d, row + c + v), hn::LoadU(d, a.means.data + c + v)), d,
                   out + v);
    if (c == a.x.cols) continue;
    for (int64_t i = 0; i < kWidth; ++i)
      out[i] = c + i < a.x.cols ? static_cast<double>(row[c + i]) - a.means.data[c + i] : 0.0;
  }
}

/// c[r, :] += left[n, r] * right[n, :] for n ascending; rows of all three are kWidth apart.
HWY_NOINLINE void add_products(const double* HWY_RESTRICT left, const double* HWY_RESTRICT right,
                               int64_t rows, double* HWY_RESTRICT c) {
  const DoubleTag d;
  hn::Vec<DoubleTag> acc[kTileRows][kTileVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kTileVectors; ++v)
      acc[r][v] = hn::LoadU(d, c + r * kWidth + v * kDoubleLanes);
  for (int64_t n = 0; n < rows; ++n, left += kWidth, right += kWidth) {
    hn::Vec<DoubleTag> column[kTileVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kTileVectors; ++v) column[v] = hn::LoadU(d, right + v * kDoubleLanes);
#pragma GCC unroll 8
    for (int r = 0; r < kTileRows; ++r) {
      const auto x = hn::Set(d, left[r]);
#pragma GCC unroll 4
      for (int v = 0; v < kTileVectors; ++v) acc[r][v] = mul_add(x, column[v], acc[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kTileRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kTileVectors; ++v)
      hn::StoreU(acc[r][v], d, c + r * kWidth + v * kDoubleLanes);
}

/// Panels p <= q, and what their chunk adds up.
struct PanelPair {
  int64_t p, q;
  double *slice, *total;  // [kWidth, kWidth]
};

/// Adds `rows` packed rows to the slice's sums of a pair.
void add_band(const PanelPair& pair, const double* packed, int64_t rows) {
  const double* left = packed + pair.p * kBandRows * kWidth;
  const double* right = packed + pair.q * kBandRows * kWidth;
  for (int64_t block = 0; block < rows; block += kBlockRows)
    for (int64_t r = 0; r < kWidth; r += kTileRows)
      add_products(left + block * kWidth + r, right + block * kWidth,
                   std::min(kBlockRows, rows - block), pair.slice + r * kWidth);
}

void end_slice(const PanelPair& pair) {
  for (int64_t i = 0; i < kPairSums; ++i) pair.total[i] += pair.slice[i];
  std::fill_n(pair.slice, kPairSums, 0.0);
}

/// Writes a pair's part of r, on both sides of the diagonal.
void write_pair(const Correlation& a, const PanelPair& pair) {
  const double* g = a.norms.data;
  for (int64_t i = pair.p * kWidth; i < std::min(a.x.cols, (pair.p + 1) * kWidth); ++i)
    for (int64_t j = std::max(i, pair.q * kWidth); j < std::min(a.x.cols, (pair.q + 1) * kWidth);
         ++j) {
      const double sum = pair.total[i % kWidth * kWidth + j % kWidth];
      const double own = g[i] == g[i] ? 1.0 : g[i];
      const double r = i == j ? own : correlation_of(sum, g[i], g[j]);
      a.r.data[i * a.r.ld + j] = a.r.data[j * a.r.ld + i] = r;
    }
}

void correlate(ThreadPool& pool, const Correlation& a) {
  pool.run((a.x.cols + kMeanColumns - 1) / kMeanColumns,
           [&](int64_t chunk) { column_means(a, chunk * kMeanColumns); });
  const int64_t panels = (a.x.cols + kWidth - 1) / kWidth, count = panels * (panels + 1) / 2;
  thread_local SimdScratch packed_scratch, sums_scratch;
  double* packed = packed_scratch.get<double>(static_cast<size_t>(panels * kBandRows * kWidth));
  double* sums = sums_scratch.get<double>(static_cast<size_t>(2 * count * kPairSums));
  std::fill_n(sums, 2 * count * kPairSums, 0.0);
  std::vector<PanelPair> pairs;
  for (int64_t p = 0; p < panels; ++p)
    for (int64_t q = p; q < panels; ++q, sums += 2 * kPairSums)
      pairs.push_back({p, q, sums, sums + kPairSums});

  for (int64_t band = 0; band < a.x.rows; band += kBandRows) {
    const int64_t end = std::min(a.x.rows, band + kBandRows);
    pool.run((end - band + kPackedRows - 1) / kPackedRows, [&](int64_t chunk) {
      const int64_t begin = band + chunk * kPackedRows;
      pack_rows(a, band, begin, std::min(end, begin + kPackedRows), packed);
    });
    const bool last = end == a.x.rows || end % Correlation::kSlice == 0;
    pool.run(count, [&](int64_t i) {
      add_band(pairs[i], packed, end - band);
      if (last) end_slice(pairs[i]);
    });
  }
  for (const PanelPair& pair : pairs)
    for (int64_t i = pair.p * kWidth; pair.p == pair.q && i < a.x.cols && i < (pair.p + 1) * kWidth;
         ++i)
      a.norms.data[i] =
          correlation_norm(pair.total[i % kWidth * (kWidth + 1)], a.means.data[i], a.x.rows);
  pool.run(count, [&](int64_t i) { write_pair(a, pairs[i]); });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {

HWY_EXPORT(correlate);

void correlation(CpuContext& context, const Correlation& a) {
  TESSERA_CHECK(a.x.rows > 0 && a.r.rows == a.x.cols && a.r.cols == a.x.cols &&
                    a.means.size == a.x.cols && a.norms.size == a.x.cols,
                "correlation: x [", a.x.rows, ", ", a.x.cols, "] into r [", a.r.rows, ", ",
                a.r.cols, "], ", a.means.size, " means and ", a.norms.size, " norms");
  context.enqueue("correlation", [&] { HWY_DYNAMIC_DISPATCH(correlate)(context.pool(), a); });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
