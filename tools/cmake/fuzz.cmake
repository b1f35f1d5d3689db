# cmake -C tools/cmake/fuzz.cmake -B build-fuzz: the readers under libFuzzer, AddressSanitizer and
# UBSan, with clang 14; tools/fuzz.sh builds and runs it. Signed overflow in compiled libraries is
# theirs; in ours it ends the run.
set(CMAKE_BUILD_TYPE Release CACHE STRING "")
set(CMAKE_C_COMPILER clang-14 CACHE STRING "")
set(CMAKE_CXX_COMPILER clang++-14 CACHE STRING "")
set(TESSERA_OPTIMIZATION -O1 CACHE STRING "")
set(CMAKE_CXX_FLAGS
    "-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -g1"
    CACHE STRING "")
set(TESSERA_FUZZ ON CACHE BOOL "")
set(TESSERA_CUDA OFF CACHE STRING "")
set(TESSERA_SIMT OFF CACHE BOOL "")
set(TESSERA_BENCH OFF CACHE BOOL "")
