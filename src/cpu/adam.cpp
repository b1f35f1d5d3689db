#define HWY_TARGET_INCLUDE "cpu/adam.cpp"
#include "cpu/simd_targets.h"

#include "cpu/chunked_sum.h"
#include "cpu/simd-inl.h"
#include "tessera/kernels/adam.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

double square_sum_of(const real* x, int64_t n) {
  return fold_lanes(n, [=](auto d, int64_t i, auto acc) HWY_ATTR {
    const auto value = load_double(d, x + i);
    return mul_add(value, value, acc);
  });
}

void adam_range(const AdamStep& a, real clip, int64_t begin, int64_t end) {
  const ScheduleRow& now = a.state->now;
  const real beta1 = now.beta1, beta2 = now.beta2;
  const real rate = now.learning_rate[a.group] / now.beta1_correction;
  const real scale2 = 1 / now.beta2_correction;
  real* __restrict values = a.values.data;
  real* __restrict first = a.first_moment.data;
  real* __restrict second = a.second_moment.data;
  const real* __restrict grads = a.grads.data;
  for_lanes(end - begin, [&](auto d, int64_t offset) HWY_ATTR {
    const int64_t i = begin + offset;
    const auto set = [&](real x) HWY_ATTR { return hn::Set(d, x); };
    const auto g = hn::Mul(hn::LoadU(d, grads + i), set(clip));
    const auto m = mul_add(set(beta1), hn::LoadU(d, first + i), hn::Mul(set(1 - beta1), g));
    const auto v = mul_add(set(beta2), hn::LoadU(d, second + i),
                           hn::Mul(hn::Mul(set(1 - beta2), g), g));
    hn::StoreU(m, d, first + i);
    hn::StoreU(v, d, second + i);
    const auto root = hn::Add(hn::Sqrt(hn::Mul(v, set(scale2))), set(a.epsilon));
    hn::StoreU(hn::Sub(hn::LoadU(d, values + i), hn::Div(hn::Mul(set(rate), m), root)), d,
               values + i);
  });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {

HWY_EXPORT(square_sum_of);
void square_sum(CpuContext& context, const SquareSum& a) {
  const auto sum_of = HWY_DYNAMIC_DISPATCH(square_sum_of);
  context.enqueue("square_sum", [&] {
    a.sum.data[0] = chunked_sum(context, a.x.size, [&](int64_t begin, int64_t end) {
      return sum_of(a.x.data + begin, end - begin);
    });
  });
}

HWY_EXPORT(adam_range);
void adam_step(CpuContext& context, const AdamStep& a) {
  const auto range = HWY_DYNAMIC_DISPATCH(adam_range);
  context.parallel_ranges("adam_step", a.values.size, 32768, [&](int64_t begin, int64_t end) {
    const double clip_norm = double(a.state->now.clip_norm[a.group]);
    double clip = 1;
    if (clip_norm > 0 && a.grad_square_sum.data != nullptr) {
      const double norm = std::sqrt(a.grad_square_sum.data[0]);
      if (norm > clip_norm) clip = clip_norm / norm;
    }
    range(a, real(clip), begin, end);
  });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
