#pragma once

// The instruction sets CPU kernels are compiled for, chosen at run time by Highway:
//   AVX3    AVX-512 F, VL, DQ, BW
//   AVX2    with FMA, BMI2 and F16C
//   SCALAR  everything else; its multiply-add is std::fma, so its bits are those of the other two
// No target without a fused multiply-add has vectors (SSE), and none beyond AVX3 gains anything here;
// leaving them out keeps one result for all CPUs and a third of the compile time.
//
// A kernel file starts with these lines, then has three parts:
//
//   #define HWY_TARGET_INCLUDE "cpu/scale.cpp"  // this file, from src/
//   #include "cpu/simd_targets.h"               // compiles the file once more for each target
//
//   #include "cpu/simd-inl.h"                   // then all other headers, in any order
//   #include "tessera/kernels/scale.h"
//
//   HWY_BEFORE_NAMESPACE();                     // 1. compiled per target
//   namespace tessera::inline TESSERA_PRECISION::kernels {
//   namespace HWY_NAMESPACE {
//   void scale_range(const Scale& a, int64_t begin, int64_t end) {
//     for_lanes(end - begin, [&](auto d, int64_t i) HWY_ATTR {  // HWY_ATTR on every lambda
//       const auto x = hn::LoadU(d, a.x.data + begin + i);
//       hn::StoreU(mul_add(x, hn::Set(d, a.factor), x), d, a.y.data + begin + i);
//     });
//   }
//   }  // namespace HWY_NAMESPACE
//   }  // namespace tessera::inline TESSERA_PRECISION::kernels
//   HWY_AFTER_NAMESPACE();
//
//   #if HWY_ONCE                                // 2. compiled once
//   namespace tessera::inline TESSERA_PRECISION::kernels {
//   HWY_EXPORT(scale_range);
//   void scale(CpuContext& context, const Scale& a) {
//     const auto range = HWY_DYNAMIC_DISPATCH(scale_range);
//     context.parallel_ranges("scale", a.y.size, 16384,
//                             [&](int64_t begin, int64_t end) { range(a, begin, end); });
//   }
//   }  // namespace tessera::inline TESSERA_PRECISION::kernels
//   #endif
//
// Names used in both parts (constants, structs) need an include guard or a header of their own:
// part 1 is seen three times. Tests force one target with testing/simd_target.h.

#define HWY_BASELINE_TARGETS HWY_SCALAR
#define HWY_BROKEN_EMU128 1  // the fallback is HWY_SCALAR with every compiler
#ifdef TESSERA_DOUBLE  // tests of formulas: one target does, in a third of the compile time
#undef TESSERA_SIMD_TARGETS
#define TESSERA_SIMD_TARGETS HWY_SCALAR
#elif !defined(TESSERA_SIMD_TARGETS)
#define TESSERA_SIMD_TARGETS HWY_SCALAR + HWY_AVX2 + HWY_AVX3
#endif
#define HWY_DISABLED_TARGETS (~(TESSERA_SIMD_TARGETS))
#ifdef HWY_TARGET_INCLUDE
#include "hwy/foreach_target.h"  // IWYU pragma: keep
#endif
