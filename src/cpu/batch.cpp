#define HWY_TARGET_INCLUDE "cpu/batch.cpp"
#include "tessera/kernels/batch.h"

#include <algorithm>

#include "cpu/cpu_context.h"
#include "cpu/simd-inl.h"
#include "cpu/simd_targets.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

void copy_row(const RowSource& source, int64_t row, real* y) {
  const int64_t first = row * source.cols;
  if (source.bytes != nullptr) {
    const uint8_t* x = source.bytes + first;
    for (int64_t f = 0; f < source.cols; ++f) y[f] = source.scale * real(x[f]);
  } else {
    const real* x = source.values + first;
    for (int64_t f = 0; f < source.cols; ++f) y[f] = source.scale * x[f];
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {
constexpr int64_t kGrain = 64;  // rows

// A row drawn at random is in no cache; it is asked for this many rows before its turn.
constexpr int64_t kRowsAhead = 8;

void fetch(const RowSource& source, int64_t row) {
  constexpr int64_t kLine = 64, kMostLines = 16;  // hardware follows longer rows by itself
  const int64_t bytes = source.cols * (source.bytes ? 1 : static_cast<int64_t>(sizeof(real)));
  const char* data = source.bytes ? reinterpret_cast<const char*>(source.bytes)
                                  : reinterpret_cast<const char*>(source.values);
  for (int64_t at = 0; at < std::min(bytes, kMostLines * kLine); at += kLine)
    __builtin_prefetch(data + row * bytes + at);
}
}  // namespace
HWY_EXPORT(copy_row);

void load_batch(CpuContext& context, const LoadBatch& a) {
  const auto copy = HWY_DYNAMIC_DISPATCH(copy_row);
  context.parallel_ranges("load_batch", a.batch.rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b)
      copy(a.source, shuffled_row(a, b), a.batch.data + b * a.batch.ld);
  });
}

void gather_rows(CpuContext& context, const GatherRows& a) {
  const auto copy = HWY_DYNAMIC_DISPATCH(copy_row);
  const auto row_of = [&](int64_t b) {
    return a.subset.data ? int64_t{a.subset.data[a.first + b]} : a.first + b;
  };
  context.parallel_ranges("gather_rows", a.batch.rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      if (b + kRowsAhead < end) fetch(a.source, row_of(b + kRowsAhead));
      copy(a.source, row_of(b), a.batch.data + b * a.batch.ld);
    }
  });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
