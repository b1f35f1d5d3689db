#define HWY_TARGET_INCLUDE "cpu/elementwise.cpp"
#include "tessera/kernels/elementwise.h"

#include "cpu/cpu_context.h"
#include "cpu/philox-inl.h"
#include "cpu/simd-inl.h"
#include "cpu/simd_targets.h"
#include "tessera/kernels/philox.h"
#include "tessera/kernels/unary.h"

#ifndef TESSERA_CPU_COLUMN_GRAIN
#define TESSERA_CPU_COLUMN_GRAIN
namespace tessera::inline TESSERA_PRECISION::kernels {
// Columns summed at a time: 16 lines of a row in turn, which hardware fetches ahead, and 2 KiB of sums.
inline constexpr int64_t kColumnGrain = 256;
}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

void fill_range(const Fill& a, int64_t begin, int64_t end) {
  real* y = a.y.data;
  for (int64_t i = begin; i < end; ++i) y[i] = a.value;
}

void scale_add_range(const ScaleAdd& a, int64_t begin, int64_t end) {
  const real* x = a.x.data;
  real* y = a.y.data;
  const real alpha = a.alpha, beta = a.beta;
  if (beta == 0)
    for (int64_t i = begin; i < end; ++i) y[i] = alpha * x[i];
  else
    for (int64_t i = begin; i < end; ++i) y[i] = std::fma(alpha, x[i], beta * y[i]);
}

void column_sums_range(const ColumnSums& a, int64_t begin, int64_t end) {
  double sums[kColumnGrain] = {};
  const int64_t cols = end - begin;
  for (int64_t n = 0; n < a.x.rows; ++n) {
    const real* x = a.x.data + n * a.x.ld + begin;
    for_double_lanes(cols, [&](auto d, int64_t c) HWY_ATTR {
      hn::StoreU(hn::Add(hn::LoadU(d, sums + c), load_double(d, x + c)), d, sums + c);
    });
  }
  for (int64_t c = 0; c < cols; ++c) {
    real& y = a.sums.data[begin + c];
    y = real(a.beta == 0 ? sums[c] : double(a.beta) * double(y) + sums[c]);
  }
}

void dropout_range(const Dropout& a, int64_t begin, int64_t end) {
  const real scale = 1 / (1 - a.rate);
  int64_t i = begin;
#if HWY_TARGET != HWY_SCALAR
  // u = (word >> 8) 2^-24 >= rate where word >= ceil(2^24 rate) 2^8: both products are exact.
  const RealTag d;
  const WordTag words;
  const auto least = static_cast<uint32_t>(std::ceil(a.rate * 0x1p24f)) << 8;
  for (; i % 4 == 0 && i + kRandomElements <= end; i += kRandomElements) {
    WordVec drawn[2];
    random_words(a.state->seed, a.stream, a.state->step, static_cast<uint64_t>(i) / 4, drawn);
    for (int v = 0; v < 2; ++v) {
      real* to = a.y.data + i + v * kRealLanes;
      const auto drop = hn::RebindMask(d, hn::Lt(drawn[v], hn::Set(words, least)));
      const auto x = hn::Mul(hn::LoadU(d, a.x.data + i + v * kRealLanes), hn::Set(d, scale));
      const auto y = hn::IfThenZeroElse(drop, x);
      hn::StoreU(a.beta == 0 ? y : hn::Add(hn::Mul(hn::Set(d, a.beta), hn::LoadU(d, to)), y), d,
                 to);
    }
  }
#endif
  for (; i < end; ++i) {
    const bool keep =
        random_uniform(a.state->seed, a.stream, a.state->step, static_cast<uint64_t>(i)) >= a.rate;
    const real y = keep ? a.x.data[i] * scale : real(0);
    a.y.data[i] = a.beta == 0 ? y : a.beta * a.y.data[i] + y;
  }
}

void unary_range(const Unary& a, int64_t begin, int64_t end) {
  const real* x = a.x.data;
  real* y = a.y.data;
  with_unary(a.op, [=](auto f) HWY_ATTR {
#pragma GCC ivdep  // y may be x
    for (int64_t i = begin; i < end; ++i) y[i] = f.f(x[i]);
  });
}

void unary_grad_range(const UnaryGrad& a, int64_t begin, int64_t end) {
  const real *x = a.x.data, *y = a.y.data, *dy = a.dy.data, beta = a.beta, scale = a.scale;
  real* dx = a.dx.data;
  with_unary(a.op, [=](auto f) HWY_ATTR {
    if (beta == 0) {
#pragma GCC ivdep  // dx may be dy
      for (int64_t i = begin; i < end; ++i) dx[i] = dy[i] * scale * f.df(x[i], y[i]);
    } else {
      for (int64_t i = begin; i < end; ++i) dx[i] = beta * dx[i] + dy[i] * scale * f.df(x[i], y[i]);
    }
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {
constexpr int64_t kGrain = 32768;  // values per piece of work: tens of microseconds
}  // namespace

HWY_EXPORT(fill_range);
void fill(CpuContext& context, const Fill& a) {
  const auto range = HWY_DYNAMIC_DISPATCH(fill_range);
  context.parallel_ranges("fill", a.y.size, kGrain,
                          [&](int64_t begin, int64_t end) { range(a, begin, end); });
}

HWY_EXPORT(scale_add_range);
void scale_add(CpuContext& context, const ScaleAdd& a) {
  const auto range = HWY_DYNAMIC_DISPATCH(scale_add_range);
  context.parallel_ranges("scale_add", a.y.size, kGrain,
                          [&](int64_t begin, int64_t end) { range(a, begin, end); });
}

HWY_EXPORT(column_sums_range);
void column_sums(CpuContext& context, const ColumnSums& a) {
  const auto range = HWY_DYNAMIC_DISPATCH(column_sums_range);
  context.parallel_ranges("column_sums", a.x.cols, kColumnGrain,
                          [&](int64_t begin, int64_t end) { range(a, begin, end); });
}

HWY_EXPORT(dropout_range);
void dropout(CpuContext& context, const Dropout& a) {
  const auto range = HWY_DYNAMIC_DISPATCH(dropout_range);
  context.parallel_ranges("dropout", a.y.size, kGrain / 8,
                          [&](int64_t begin, int64_t end) { range(a, begin, end); });
}

HWY_EXPORT(unary_range);
void unary(CpuContext& context, const Unary& a) {
  const auto range = HWY_DYNAMIC_DISPATCH(unary_range);
  context.parallel_ranges("unary", a.y.size, kGrain,
                          [&](int64_t begin, int64_t end) { range(a, begin, end); });
}

HWY_EXPORT(unary_grad_range);
void unary_grad(CpuContext& context, const UnaryGrad& a) {
  const auto range = HWY_DYNAMIC_DISPATCH(unary_grad_range);
  context.parallel_ranges("unary_grad", a.dx.size, kGrain,
                          [&](int64_t begin, int64_t end) { range(a, begin, end); });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
