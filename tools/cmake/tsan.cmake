# cmake -C tools/cmake/tsan.cmake -B build-tsan: tests under ThreadSanitizer, of the CPU backend and of
# the CUDA kernels on the emulator. clang 14's: it follows fibers, and g++ 12's costs 25 times more.
set(CMAKE_C_COMPILER clang-14 CACHE STRING "")
set(CMAKE_CXX_COMPILER clang++-14 CACHE STRING "")
set(CMAKE_BUILD_TYPE Sanitizer CACHE STRING "")
set(CMAKE_CXX_FLAGS_SANITIZER "-O1 -g1" CACHE STRING "")
# Vectors of 32 bytes are accesses that ThreadSanitizer does not see; scalar code also compiles faster.
set(CMAKE_CXX_FLAGS "-fsanitize=thread -DTESSERA_SIMD_TARGETS=HWY_SCALAR" CACHE STRING "")
set(TESSERA_CUDA OFF CACHE STRING "")
set(TESSERA_SIMT ON CACHE BOOL "")
set(TESSERA_BENCH OFF CACHE BOOL "")
