# cmake -C tools/cmake/release.cmake -B build: the program, without tests and benchmarks.
set(CMAKE_BUILD_TYPE Release CACHE STRING "")
set(TESSERA_TESTS OFF CACHE BOOL "")
set(TESSERA_BENCH OFF CACHE BOOL "")
