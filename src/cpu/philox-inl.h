// Philox for whole vectors, once per target; see tessera/kernels/philox.h.

#include <cstdint>

#include "cpu/simd-inl.h"
#include "tessera/kernels/philox.h"

#if defined(TESSERA_CPU_PHILOX_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TESSERA_CPU_PHILOX_INL_H
#undef TESSERA_CPU_PHILOX_INL_H
#else
#define TESSERA_CPU_PHILOX_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {
#if HWY_TARGET != HWY_SCALAR

using WordTag = hn::ScalableTag<uint32_t>;
using WordVec = hn::Vec<WordTag>;
/// Elements of two vectors of words: their blocks of four stand one to a 64-bit lane.
inline constexpr int64_t kRandomElements = 2 * static_cast<int64_t>(hn::MaxLanes(WordTag()));

/// The words that random_uniform draws for elements [4 block, 4 block + kRandomElements).
HWY_INLINE void random_words(uint64_t seed, uint32_t stream, uint64_t step, uint64_t block,
                             WordVec (&words)[2]) {
  const WordTag d;
  const hn::RepartitionToWide<WordTag> wide;
  using Wide = hn::Vec<decltype(wide)>;
  constexpr uint64_t kHalf = kRandomElements / 8;
  // Lanes 2i and 2i + 1 hold blocks i and half + i, so that interleaving puts all in order.
  const Wide lane = hn::Iota(wide, 0);
  const Wide number =
      hn::Add(hn::Set(wide, block),
              hn::Add(hn::ShiftRight<1>(lane),
                      hn::IfThenElseZero(hn::Eq(hn::And(lane, hn::Set(wide, 1)), hn::Set(wide, 1)),
                                         hn::Set(wide, kHalf))));
  // Only the low words of c0 to c3 count; what is above them is never used.
  Wide c0 = number, c1 = hn::ShiftRight<32>(number);
  Wide c2 = hn::Set(wide, step), c3 = hn::Set(wide, uint64_t{stream});
  const auto product = [&](Wide x, uint32_t factor)
                           HWY_ATTR { return hn::MulEven(hn::BitCast(d, x), hn::Set(d, factor)); };
  auto k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
#pragma GCC unroll 10
  for (int round = 0; round < 10; ++round) {
    const Wide p0 = product(c0, 0xD2511F53u), p1 = product(c2, 0xCD9E8D57u);
    c0 = hn::Xor3(hn::ShiftRight<32>(p1), c1, hn::Set(wide, uint64_t{k0}));
    c2 = hn::Xor3(hn::ShiftRight<32>(p0), c3, hn::Set(wide, uint64_t{k1}));
    c1 = p1;
    c3 = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  const Wide low = hn::Set(wide, 0xFFFFFFFFu);
  const Wide first = hn::Or(hn::And(c0, low), hn::ShiftLeft<32>(c1));
  const Wide second = hn::Or(hn::And(c2, low), hn::ShiftLeft<32>(c3));
  words[0] = hn::BitCast(d, hn::InterleaveLower(wide, first, second));
  words[1] = hn::BitCast(d, hn::InterleaveUpper(wide, first, second));
}

#endif
}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#endif  // per-target include guard
