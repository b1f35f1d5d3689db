# cmake -C tools/cmake/simt.cmake -B build-simt: tests with the CUDA code on the emulator, in a build
# that does not look for a toolkit.
set(CMAKE_BUILD_TYPE Release CACHE STRING "")
set(TESSERA_CUDA OFF CACHE STRING "")
set(TESSERA_SIMT ON CACHE BOOL "")
set(TESSERA_BENCH OFF CACHE BOOL "")
