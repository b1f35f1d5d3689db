// Matrix products, once per target; see matmul.cpp.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cpu/cpu_context.h"
#include "cpu/simd_scratch.h"
#include "cpu/simd_tile-inl.h"
#include "tessera/kernels/matmul.h"

#if defined(TESSERA_CPU_MATMUL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CPU_MATMUL_INL_H
#undef TESSERA_CPU_MATMUL_INL_H
#else
#define TESSERA_CPU_MATMUL_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

// Rows of c that share one packing of b.
inline constexpr int64_t kMaxBandRows = 1024;
// Rows of b packed at a time: a panel of them is a fifth of L2.
inline constexpr int64_t kMaxPackedRows = 2048;
// Panels wanted, so that a few threads find equal work.
inline constexpr int64_t kWantedPanels = 8;
// A transposed a is read with a step of its row length, beyond what hardware prefetch follows; twelve
// steps are some 200 cycles, an access to L3.
inline constexpr int kStepsAhead = 12;
// Where that length is a multiple of 4 KiB, a column of such an a falls on a few lines of L1 and L2, and
// every panel would fetch it from further away. There a chunk is several panels, and copies some rows
// of a for all of them: an eighth of L2.
inline constexpr int64_t kAliasingBytes = 4096;
inline constexpr int64_t kPanelsOfPackedA = 4;
inline constexpr int64_t kPackedRowsOfA = 256;
inline constexpr int64_t kPackedColumns = 64 / sizeof(real);  // a line, and whole tiles
inline bool packs_a(const Matmul& m) {
  return m.ta == Transpose::Yes && m.c.cols > kTileVectors * kRealLanes &&
         m.a.ld * static_cast<int64_t>(sizeof(real)) % kAliasingBytes == 0;
}

/// Rows [k, k + k_count) of columns [first, end) of a transposed a, as blocks of kPackedColumns:
/// [block, k_count + 1, kPackedColumns]; the row between two blocks keeps their lines apart.
struct PackedA {
  int64_t first, k_count;
  real* values;  // null: a is read in place

  static int64_t size(int64_t columns, int64_t k_count) {
    return (columns + kPackedColumns - 1) / kPackedColumns * kPackedColumns * (k_count + 1);
  }
  real* at(int64_t column) const {
    const int64_t local = column - first;
    return values + local / kPackedColumns * kPackedColumns * (k_count + 1) +
           local % kPackedColumns;
  }
  void pack(const Matmul& m, int64_t end, int64_t k) const {
    for (int64_t i = 0; i < k_count; ++i) {
      const real* from = m.a.data + (k + i) * m.a.ld + first;
      real* to = values + i * kPackedColumns;
      int64_t left = end - first;
      for (; left >= kPackedColumns; left -= kPackedColumns) {
        std::copy_n(from, kPackedColumns, to);
        from += kPackedColumns;
        to += kPackedColumns * (k_count + 1);
      }
      std::copy_n(from, left, to);
    }
  }
};

/// Rows [k, k + k_count) of panel p of b, packed as [k_count, vectors, lanes]; or in place, where
/// `b_step` is the row length of b.
struct Part {
  const Matmul& m;
  const Panels& panels;
  int64_t p, k, k_count;
  real* packed;
  const real* b = nullptr;
  int64_t b_step = 0;
  PackedA a = {0, 0, nullptr};

  int64_t column() const { return panels.begin(p) * kRealLanes; }
};

template <int kVectors>
void pack_rows(const Part& part, size_t last_lanes) {
  const MatrixView<const real>& b = part.m.b;
  const RealTag d;
  const auto mask = hn::FirstN(d, last_lanes);
  constexpr int64_t kLast = (kVectors - 1) * kRealLanes;
  const real* row = b.data + part.k * b.ld + part.column();
  real* out = part.packed;
  for (int64_t k = 0; k < part.k_count; ++k, row += b.ld, out += kVectors * kRealLanes) {
    for (int64_t i = 0; i < kLast; i += kRealLanes) hn::StoreU(hn::LoadU(d, row + i), d, out + i);
    hn::StoreU(hn::MaskedLoad(mask, d, row + kLast), d, out + kLast);
  }
}

template <int kVectors>
void pack_columns(const Part& part, size_t last_lanes) {
  const MatrixView<const real>& b = part.m.b;
  const RealTag d;
  for (int v = 0; v < kVectors; ++v) {
    const int64_t column = part.column() + v * kRealLanes;
    const int64_t lanes = v + 1 < kVectors ? kRealLanes : static_cast<int64_t>(last_lanes);
    const real* rows[kRealLanes];  // past the last column: the last again, never stored to c
    for (int64_t l = 0; l < kRealLanes; ++l)
      rows[l] = b.data + (column + std::min(l, lanes - 1)) * b.ld + part.k;
    for_columns(rows, part.k_count, [&](int64_t k, RealVec values) HWY_ATTR {
      hn::StoreU(values, d, part.packed + (k * kVectors + v) * kRealLanes);
    });
  }
}

/// Adds the part to rows [row, row + kRows) of c in the columns of its panel.
template <int kRows, int kVectors>
HWY_NOINLINE void multiply_tile(const Part& part, int64_t row, size_t last_lanes) {
  const Matmul& m = part.m;
  const RealTag d;
  const int64_t column = part.column();
  const auto mask = hn::FirstN(d, last_lanes);
  real* c = m.c.data + row * m.c.ld + column;
  const auto load = [&](const real* from, int v) HWY_ATTR {
    return v + 1 < kVectors ? hn::LoadU(d, from + v * kRealLanes)
                            : hn::MaskedLoad(mask, d, from + v * kRealLanes);
  };
  const bool from_c = m.beta != 0 || part.k != 0;
  const bool from_bias = m.bias.data != nullptr && part.k == 0;

  Tile<kRows, kVectors> acc;
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) acc[r][v] = hn::Zero(d);
  if (from_bias) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      const RealVec bias = load(m.bias.data + column, v);
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) acc[r][v] = bias;
    }
  }
  if (from_c) {
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const RealVec old = load(c + r * m.c.ld, v);
        acc[r][v] = from_bias ? hn::Add(old, acc[r][v]) : old;
      }
  }
  if (m.ta == Transpose::No)
    accumulate<kRows, kVectors>(m.a.data + row * m.a.ld + part.k, m.a.ld, 1, part.b, part.b_step,
                                part.k_count, acc);
  else if (part.a.values != nullptr)
    accumulate<kRows, kVectors>(part.a.at(row), 1, kPackedColumns, part.b, part.b_step,
                                part.k_count, acc);
  else
    accumulate<kRows, kVectors, kStepsAhead>(m.a.data + part.k * m.a.ld + row, 1, m.a.ld, part.b,
                                             part.b_step, part.k_count, acc);
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
    real* to = c + r * m.c.ld;
#pragma GCC unroll 4
    for (int v = 0; v + 1 < kVectors; ++v) hn::StoreU(acc[r][v], d, to + v * kRealLanes);
    hn::BlendedStore(acc[r][kVectors - 1], mask, d, to + (kVectors - 1) * kRealLanes);
  }
}

/// Packs the part and adds it to rows [begin, end) of c. A part that one tile uses is read in place
/// where its vectors are whole.
template <int kVectors>
void multiply_part(Part part, int64_t begin, int64_t end) {
  const int64_t last = part.column() + (kVectors - 1) * kRealLanes;
  const auto lanes = static_cast<size_t>(std::min(kRealLanes, part.m.c.cols - last));
  part.b = part.packed;
  part.b_step = kVectors * kRealLanes;
  if (part.m.tb == Transpose::Yes) {
    pack_columns<kVectors>(part, lanes);
  } else if (end - begin <= kTileRows && lanes == static_cast<size_t>(kRealLanes)) {
    part.b = part.m.b.data + part.k * part.m.b.ld + part.column();
    part.b_step = part.m.b.ld;
  } else {
    pack_rows<kVectors>(part, lanes);
  }
  int64_t row = begin;
  for (; row + kTileRows <= end; row += kTileRows)
    multiply_tile<kTileRows, kVectors>(part, row, lanes);
  if constexpr (kTileRows > 4)
    for (; row + 4 <= end; row += 4) multiply_tile<4, kVectors>(part, row, lanes);
  for (; row + 2 <= end; row += 2) multiply_tile<2, kVectors>(part, row, lanes);
  if (row < end) multiply_tile<1, kVectors>(part, row, lanes);
}

/// Rows [begin, end) of c in the columns of panels [p, p_end).
inline void multiply_chunk(const Matmul& m, const Panels& panels, int64_t p, int64_t p_end,
                           int64_t begin, int64_t end) {
  thread_local SimdScratch scratch;
  const int64_t k_total = m.ta == Transpose::No ? m.a.cols : m.a.rows;
  const int64_t k_most = packs_a(m) ? kPackedRowsOfA : kMaxPackedRows;
  int64_t k = 0;
  do {  // once even where there is no k: c still gets its start
    const int64_t k_count = std::min(k_most, k_total - k);
    const int64_t of_b = k_count * kTileVectors * kRealLanes;
    PackedA a = {begin, k_count, nullptr};
    real* memory = scratch.get<real>(of_b + (packs_a(m) ? a.size(end - begin, k_count) : 0));
    if (packs_a(m)) {
      a.values = memory + of_b;
      a.pack(m, end, k);
    }
    for (int64_t i = p; i < p_end; ++i) {
      const Part part = {m, panels, i, k, k_count, memory, nullptr, 0, a};
      if (panels.width(i) == 3)
        multiply_part<3>(part, begin, end);
      else if (panels.width(i) == 2)
        multiply_part<2>(part, begin, end);
      else
        multiply_part<1>(part, begin, end);
    }
    k += k_count;
  } while (k < k_total);
}

/// Matrix products that share a job of the pool.
struct Products {
  std::vector<Panels> panels;
  std::vector<int64_t> first_chunk;  // [products + 1]
};

/// Every product at(i), 0 <= i < count. Their results do not overlap.
template <class At>
void multiply_all(ThreadPool& pool, int64_t count, const At& at) {
  thread_local Products own_products;
  Products& products = own_products;  // of this thread, seen by all
  products.panels.clear();
  products.first_chunk.assign(1, 0);
  const auto bands_of = [](const Matmul& m) {
    return m.c.cols > 0 ? (m.c.rows + kMaxBandRows - 1) / kMaxBandRows : 0;
  };
  const auto panels_of = [](const Matmul& m) { return packs_a(m) ? kPanelsOfPackedA : 1; };
  const auto columns_of = [&](const Matmul& m, const Panels& panels) {  // of chunks
    return (panels.count + panels_of(m) - 1) / panels_of(m);
  };
  for (int64_t i = 0; i < count; ++i) {
    const Matmul m = at(i);
    products.panels.emplace_back(std::max<int64_t>(1, m.c.cols),
                                 std::max<int64_t>(1, kWantedPanels / count));
    products.first_chunk.push_back(products.first_chunk.back() +
                                   bands_of(m) * columns_of(m, products.panels.back()));
  }
  pool.run(products.first_chunk.back(), [&](int64_t chunk) {
    const auto& first = products.first_chunk;
    const int64_t i = std::upper_bound(first.begin(), first.end(), chunk) - first.begin() - 1;
    const Matmul m = at(i);
    const Panels& panels = products.panels[i];
    const int64_t bands = bands_of(m), tiles = (m.c.rows + kTileRows - 1) / kTileRows;
    const auto band_begin = [&](int64_t band) {
      return std::min(m.c.rows, band * tiles / bands * kTileRows);
    };
    const int64_t local = chunk - first[i], columns = columns_of(m, panels);
    const int64_t band = local / columns, p = local % columns * panels_of(m);
    multiply_chunk(m, panels, p, std::min(p + panels_of(m), panels.count), band_begin(band),
                   band_begin(band + 1));
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
