#pragma once

// TESSERA_HD marks a formula that both backends compile. On the host it is inlined by force, so that
// it takes the instruction set of the loop around it.
#ifdef __CUDACC__
#define TESSERA_HD __host__ __device__ __forceinline__
#else
#define TESSERA_HD inline __attribute__((always_inline))
#endif

namespace tessera {
class CpuContext;
class CudaContext;
}  // namespace tessera
