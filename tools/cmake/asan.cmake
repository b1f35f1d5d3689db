# cmake -C tools/cmake/asan.cmake -B build-asan: tests under AddressSanitizer and UBSan. The emulator
# shows them every kernel's shared and global memory, so nvcc is not needed.
set(CMAKE_BUILD_TYPE Release CACHE STRING "")
# -O1 alone leaves out vzeroupper, after which scalar code is many times slower on Intel machines.
set(TESSERA_OPTIMIZATION "-O1 -fexpensive-optimizations" CACHE STRING "")
set(CMAKE_CXX_FLAGS
    "-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g1"
    CACHE STRING "")
set(TESSERA_CUDA OFF CACHE STRING "")
set(TESSERA_BENCH OFF CACHE BOOL "")
