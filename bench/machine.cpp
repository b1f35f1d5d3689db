// What the machine can reach: the best rate of fused multiply-adds in registers, and of memory.

#define HWY_TARGET_INCLUDE "bench/machine.cpp"
#include "cpu/simd_targets.h"
// First the targets, then all else.
#include <algorithm>
#include <barrier>
#include <functional>
#include <vector>

#include "bench/bench.h"
#include "core/context.h"
#include "cpu/simd-inl.h"
#include "tessera/error.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

/// Runs rounds * kChains vector multiply-adds and returns how many flop that is. Twelve chains cover
/// two units with a latency of four to five cycles.
double multiply_add(int64_t rounds) {
  constexpr int kChains = 12;
  const RealTag d;
  const auto x = hn::Set(d, real(0.5)), y = hn::Set(d, real(0.25));
  hn::Vec<RealTag> acc[kChains];
#pragma GCC unroll 12
  for (int i = 0; i < kChains; ++i) acc[i] = hn::Set(d, real(i));
  for (int64_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) acc[i] = mul_add(acc[i], x, y);
  }
  for (int i = 1; i < kChains; ++i) acc[0] = hn::Add(acc[0], acc[i]);
  // The sum is part of the answer, so that the loop stays; it rounds to 0.5 in each lane.
  const double keep = hn::GetLane(acc[0]) > 100 ? 1 : 0;
  return 2.0 * kChains * kRealLanes * static_cast<double>(rounds) + keep;
}

void triad(const real* a, const real* b, real* c, int64_t n) {
  for_lanes(n, [&](auto d, int64_t i) HWY_ATTR {
    hn::StoreU(mul_add(hn::LoadU(d, a + i), hn::Set(d, real(0.5)), hn::LoadU(d, b + i)), d, c + i);
  });
}

const char* target_name() { return hwy::TargetName(HWY_TARGET); }

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {
HWY_EXPORT(multiply_add);
HWY_EXPORT(triad);
HWY_EXPORT(target_name);

namespace {
/// Runs f once on every thread of the pool, all started together; the sum of their rates.
double rate(int threads, const std::function<double(int64_t)>& f) {
  std::barrier start(threads);  // makes each thread take one chunk
  std::vector<double> rates(threads);
  cpu_context().pool().run(threads, [&](int64_t t) {
    start.arrive_and_wait();
    const double begin = bench::now();
    const double amount = f(t);
    rates[t] = amount / (bench::now() - begin);
  });
  double sum = 0;
  for (const double r : rates) sum += r;
  return sum;
}

double triad_rate(int threads) {
  constexpr int64_t kValues = int64_t{16} << 20;  // three arrays of 64 MB
  const auto probe = HWY_DYNAMIC_DISPATCH(triad);
  const int64_t share = kValues / threads;
  std::vector<real> a(kValues, 1), b(kValues, 2), c(kValues, 3);
  return rate(threads, [&](int64_t t) {
    const int64_t begin = t * share;
    probe(a.data() + begin, b.data() + begin, c.data() + begin, share);
    return 3.0 * sizeof(real) * static_cast<double>(share);
  });
}
}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION::kernels

namespace tessera::bench {

Machine measure_machine(int threads) {
  constexpr int kWarmUps = 100;  // until clocks have settled
  constexpr int kProbes = 5;
  for (int i = 0; i < kWarmUps; ++i) probe_flops(threads);
  Machine machine{.target = HWY_DYNAMIC_DISPATCH(kernels::target_name)(), .threads = threads};
  for (int i = 0; i < kProbes; ++i) {
    machine.flops = std::max(machine.flops, probe_flops(threads));
    machine.bytes_per_second = std::max(machine.bytes_per_second, kernels::triad_rate(threads));
  }
  return machine;
}

void use_target(const std::string& name) {
  for (const int64_t target : {HWY_AVX3, HWY_AVX2, HWY_SCALAR})
    if (name == hwy::TargetName(target) &&
        (target == HWY_SCALAR || (hwy::SupportedTargets() & target) != 0))
      return hwy::SetSupportedTargetsForTest(target);
  fail(ErrorKind::Usage, "--target ", name,
       ": is no instruction set of this machine; use AVX3, AVX2 or SCALAR");
}

double probe_flops(int threads) {
  constexpr int64_t kRounds = 100'000;  // a quarter of a millisecond
  const auto probe = HWY_DYNAMIC_DISPATCH(kernels::multiply_add);
  return kernels::rate(threads, [&](int64_t) { return probe(kRounds); });
}

}  // namespace tessera::bench
#endif
