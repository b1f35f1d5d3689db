# cmake -C tools/cmake/asan.cmake -B build-asan: tests under AddressSanitizer and UBSan. The emulator
# shows them every kernel's shared and global memory, so nvcc is not needed.
set(CMAKE_BUILD_TYPE Sanitizer CACHE STRING "")
set(CMAKE_CXX_FLAGS_SANITIZER "-O1 -fexpensive-optimizations -g1 -fno-omit-frame-pointer" CACHE STRING "")
# AVX-512 has the same sources as AVX2; leaving it out saves a fifth of the compile time.
set(CMAKE_CXX_FLAGS
    "-DTESSERA_SIMD_TARGETS=HWY_SCALAR+HWY_AVX2 -fsanitize=address,undefined,float-cast-overflow -fno-sanitize-recover=all" CACHE STRING "")
set(TESSERA_CUDA OFF CACHE STRING "")
set(TESSERA_BENCH OFF CACHE BOOL "")
set(TESSERA_PLAIN_OPTIMIZATION -O0 CACHE STRING "")
