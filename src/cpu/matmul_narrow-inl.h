// Products c = a b^T of at most eight columns, once per target: the latent features of a small encoder.
// Columns as lanes would leave most of a vector empty; here rows are lanes. Two vectors of rows hide
// each other's chains. Every element is the same chain as elsewhere (tessera/kernels/matmul.h).

#include <algorithm>
#include <cstdint>

#include "cpu/cpu_context.h"
#include "cpu/simd_scratch.h"
#include "cpu/simd_tile-inl.h"
#include "tessera/kernels/matmul.h"

#if defined(TESSERA_CPU_MATMUL_NARROW_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CPU_MATMUL_NARROW_INL_H
#undef TESSERA_CPU_MATMUL_NARROW_INL_H
#else
#define TESSERA_CPU_MATMUL_NARROW_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {
#if HWY_TARGET != HWY_SCALAR

inline constexpr int64_t kMaxNarrowColumns = 8;
inline constexpr int64_t kNarrowChunkRows = 1024;
inline constexpr int64_t kNarrowRows = 2 * kRealLanes;

/// Where the chains of `rows` rows from `row` on start, column by column.
template <int kColumns>
void load_narrow(const Matmul& m, int64_t row, int64_t rows, real (&block)[kColumns][kNarrowRows]) {
  for (int n = 0; n < kColumns; ++n)
    std::fill_n(block[n], kNarrowRows, m.bias.data != nullptr ? m.bias.data[n] : real(0));
  if (m.beta == 0) return;
  for (int64_t l = 0; l < rows; ++l)
    for (int n = 0; n < kColumns; ++n) {
      const real old = m.c.data[(row + l) * m.c.ld + n];
      block[n][l] = m.bias.data != nullptr ? old + block[n][l] : old;
    }
}

/// block[n][l] += rows[l] . b[., n], k ascending; b is [k_count, kColumns].
template <int kColumns>
void accumulate_narrow(const real* const* rows, const real* b, int64_t k_count,
                       real (&block)[kColumns][kNarrowRows]) {
  const RealTag d;
  RealVec acc[kColumns][2];
#pragma GCC unroll 8
  for (int n = 0; n < kColumns; ++n)
    for (int v = 0; v < 2; ++v) acc[n][v] = hn::Load(d, block[n] + v * kRealLanes);
  int64_t k = 0;
  for (; k + kBlock <= k_count; k += kBlock) {
    RealVec first[kBlock], second[kBlock];
    transpose_block(rows, k, first);
    transpose_block(rows + kRealLanes, k, second);
#pragma GCC unroll 4
    for (int j = 0; j < kBlock; ++j)
#pragma GCC unroll 8
      for (int n = 0; n < kColumns; ++n) {
        const RealVec factor = hn::Set(d, b[(k + j) * kColumns + n]);
        acc[n][0] = mul_add(first[j], factor, acc[n][0]);
        acc[n][1] = mul_add(second[j], factor, acc[n][1]);
      }
  }
  for (; k < k_count; ++k) {
    alignas(64) real column[kNarrowRows];
    for (int64_t l = 0; l < kNarrowRows; ++l) column[l] = rows[l][k];
    for (int n = 0; n < kColumns; ++n)
      for (int v = 0; v < 2; ++v)
        acc[n][v] = mul_add(hn::Load(d, column + v * kRealLanes), hn::Set(d, b[k * kColumns + n]),
                            acc[n][v]);
  }
#pragma GCC unroll 8
  for (int n = 0; n < kColumns; ++n)
    for (int v = 0; v < 2; ++v) hn::Store(acc[n][v], d, block[n] + v * kRealLanes);
}

template <int kColumns>
void multiply_narrow_chunk(const Matmul& m, int64_t begin, int64_t end) {
  thread_local SimdScratch scratch;
  real* b = scratch.get<real>(static_cast<size_t>(m.a.cols * kColumns));
  for (int64_t n = 0; n < kColumns; ++n)
    for (int64_t k = 0; k < m.a.cols; ++k) b[k * kColumns + n] = m.b.data[n * m.b.ld + k];
  for (int64_t row = begin; row < end; row += kNarrowRows) {
    const int64_t count = std::min(kNarrowRows, end - row);
    const real* rows[kNarrowRows];  // past the last row: the last again, never stored
    for (int64_t l = 0; l < kNarrowRows; ++l)
      rows[l] = m.a.data + (row + std::min(l, count - 1)) * m.a.ld;
    alignas(64) real block[kColumns][kNarrowRows];
    load_narrow(m, row, count, block);
    accumulate_narrow(rows, b, m.a.cols, block);
    for (int64_t l = 0; l < count; ++l)
      for (int n = 0; n < kColumns; ++n) m.c.data[(row + l) * m.c.ld + n] = block[n][l];
  }
}

/// Whether rows as lanes do less work than columns as lanes.
inline bool is_narrow(const Matmul& m) {
  return m.ta == Transpose::No && m.tb == Transpose::Yes && m.c.cols <= kRealLanes / 2 &&
         m.c.cols <= kMaxNarrowColumns && m.c.rows >= kRealLanes;
}

inline void multiply_narrow(ThreadPool& pool, const Matmul& m) {
  using Chunk = void (*)(const Matmul&, int64_t, int64_t);
  constexpr Chunk kChunks[kMaxNarrowColumns] = {multiply_narrow_chunk<1>, multiply_narrow_chunk<2>,
                                                multiply_narrow_chunk<3>, multiply_narrow_chunk<4>,
                                                multiply_narrow_chunk<5>, multiply_narrow_chunk<6>,
                                                multiply_narrow_chunk<7>, multiply_narrow_chunk<8>};
  const Chunk chunk = kChunks[m.c.cols - 1];
  pool.run((m.c.rows + kNarrowChunkRows - 1) / kNarrowChunkRows, [&m, chunk](int64_t i) {
    chunk(m, i * kNarrowChunkRows, std::min(m.c.rows, (i + 1) * kNarrowChunkRows));
  });
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
