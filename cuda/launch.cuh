#pragma once

// The one place a kernel is launched from. Every launch is checked.

#include <cstddef>
#include <cstdint>

#include "check.h"
#include "cuda_context.h"
#include "tessera/kernels/host_device.h"

#ifndef TESSERA_SHARED_ARRAY  // the emulator's <cuda_runtime.h> brings its own, with guard bytes
/// Static shared memory with its true dimensions: TESSERA_SHARED_ARRAY(float, tile, [16][33]);
#define TESSERA_SHARED_ARRAY(type, name, dims) __shared__ __align__(16) type name dims
#endif

namespace tessera::cuda {

constexpr int kWarpSize = 32;
constexpr unsigned kFullWarp = 0xffffffffu;

template <class T>
constexpr TESSERA_HD T ceil_div(T a, T b) {
  return (a + b - 1) / b;
}

/// Enqueues `kernel(args...)` on `blocks` x `threads`. `name` appears in errors and step counts, also
/// where there are no blocks, which CUDA would refuse and which start nothing.
template <class... Params, class... Args>
void launch(CudaContext& context, const char* name, void (*kernel)(Params...), int64_t blocks,
            int threads, const Args&... args) {
  TESSERA_CHECK(blocks <= 0x7fffffff, name, ": ", blocks,
                " blocks exceed the grid limit of 2^31 - 1; split the batch");
  context.enqueue(name, [&] {
    if (blocks == 0) return;
    context.make_current();
    cudaLaunchConfig_t config = {};
    config.gridDim = dim3(static_cast<unsigned>(blocks));
    config.blockDim = dim3(static_cast<unsigned>(threads));
    config.stream = context.stream();
    const cudaError_t status = cudaLaunchKernelEx(&config, kernel, Params(args)...);
    TESSERA_CHECK(status == cudaSuccess, name, ": launch of ", blocks, " x ", threads,
                  " threads failed: ", cudaGetErrorString(status));
  });
}

/// Values that one block of the kernels below handles, kPerThread of them by each thread.
constexpr int kElementThreads = 256, kPerThread = 4;
constexpr int64_t kElementsPerBlock = kElementThreads * kPerThread;

/// Calls f(i) for this block's elements of [0, count): neighbours in neighbouring threads, four
/// independent loads in flight per thread.
template <class F>
__device__ __forceinline__ void for_elements(int64_t count, F f) {
  const int64_t first = blockIdx.x * kElementsPerBlock + threadIdx.x;
#pragma unroll
  for (int j = 0; j < kPerThread; ++j) {
    const int64_t i = first + j * kElementThreads;
    if (i < count) f(i);
  }
}

/// Launches a kernel whose body is for_elements(count, ...).
template <class Args>
void launch_elements(CudaContext& context, const char* name, void (*kernel)(Args), int64_t count,
                     const Args& args) {
  launch(context, name, kernel, ceil_div(count, kElementsPerBlock), kElementThreads, args);
}

}  // namespace tessera::cuda
