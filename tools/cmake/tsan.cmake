# cmake -C tools/cmake/tsan.cmake -B build-tsan: the CPU backend's tests under ThreadSanitizer. The
# emulator changes stacks in ways it cannot follow, so it stays out.
set(CMAKE_BUILD_TYPE Release CACHE STRING "")
set(CMAKE_CXX_FLAGS "-fsanitize=thread -g1" CACHE STRING "")
set(TESSERA_CUDA OFF CACHE STRING "")
set(TESSERA_SIMT OFF CACHE BOOL "")
set(TESSERA_BENCH OFF CACHE BOOL "")
