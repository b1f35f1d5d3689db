#pragma once

// What a kernel body uses of CUDA C++, for a host compiler. Words that are missing here are missing
// on purpose: raw __shared__, <<<>>>, __activemask, atomics on floating point.

#include <cmath>
#include <cstdint>
#include <cstring>

#include "simt/emulator.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define TESSERA_SHARED_ARRAY(type, name, dims) \
  using name##_array = type dims;              \
  name##_array& name = ::simt::shared_array<name##_array>([] {})

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct alignas(16) float4 {
  float x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

// One thread runs at a time; the scheduler sets these before it continues one.
inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;

template <class T>
T min(T a, T b) {
  return b < a ? b : a;
}
template <class T>
T max(T a, T b) {
  return a < b ? b : a;
}

inline void __syncthreads(const simt::Site& site = simt::Site::current()) {
  simt::sync_threads(site);
}
inline void __syncwarp(unsigned mask = 0xffffffffu,
                       const simt::Site& site = simt::Site::current()) {
  simt::warp_collective(simt::WarpOp::Sync, mask, 0, 0, site);
}
inline unsigned __ballot_sync(unsigned mask, int predicate,
                              const simt::Site& site = simt::Site::current()) {
  return static_cast<unsigned>(
      simt::warp_collective(simt::WarpOp::Ballot, mask, predicate != 0, 0, site));
}
inline int __any_sync(unsigned mask, int predicate,
                      const simt::Site& site = simt::Site::current()) {
  return __ballot_sync(mask, predicate, site) != 0;
}

namespace simt {
template <class T>
T shuffle(WarpOp op, unsigned mask, T value, int argument, const Site& site) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = warp_collective(op, mask, bits, argument, site);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}
}  // namespace simt

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, const simt::Site& site = simt::Site::current()) {
  return simt::shuffle(simt::WarpOp::Shfl, mask, value, lane, site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits,
                  const simt::Site& site = simt::Site::current()) {
  return simt::shuffle(simt::WarpOp::ShflXor, mask, value, bits, site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta,
                   const simt::Site& site = simt::Site::current()) {
  return simt::shuffle(simt::WarpOp::ShflDown, mask, value, static_cast<int>(delta), site);
}

// Atomics order nothing by themselves. With a fence before them they do, which is how the last block
// of a grid is found; ThreadSanitizer knows no fences, so the order goes to the atomic that follows.
namespace simt {
template <class T>
T atomic_add(T* at, T value) {
  if (before_atomic()) return __atomic_fetch_add(at, value, __ATOMIC_ACQ_REL);
  return __atomic_fetch_add(at, value, __ATOMIC_RELAXED);
}
}  // namespace simt

// Integer atomics only: sums of floating-point numbers in arrival order would differ between runs.
inline int atomicAdd(int* at, int value) { return simt::atomic_add(at, value); }
inline unsigned atomicAdd(unsigned* at, unsigned value) { return simt::atomic_add(at, value); }
inline unsigned long long atomicAdd(unsigned long long* at, unsigned long long value) {
  return simt::atomic_add(at, value);
}
inline void __threadfence() { simt::fence(); }

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
