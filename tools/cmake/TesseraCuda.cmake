# The CUDA backend: cuda/ becomes part of tessera_core where a toolkit works.
#
# TESSERA_CUDA=AUTO takes what it finds and says so in one line; ON stops where it finds nothing;
# OFF does not look. The program links cudart statically and nothing else of CUDA, so it also starts,
# and trains on the CPU, on machines without a driver.

# Sets TESSERA_NVCC, or TESSERA_CUDA_MISSING to why CUDA cannot be built here.
function(tessera_find_nvcc)
  find_program(TESSERA_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH
               PATHS /usr/local/cuda /opt/cuda PATH_SUFFIXES bin)
  if(NOT TESSERA_NVCC)
    set(TESSERA_CUDA_MISSING "no nvcc in PATH, CUDA_HOME/bin, CUDA_PATH/bin, /usr/local/cuda/bin or \
/opt/cuda/bin" PARENT_SCOPE)
    return()
  endif()
  # A compiler that is there but cannot work (host compiler too new, toolkit too old) must not stop
  # an AUTO build, as enable_language would.
  set(probe ${CMAKE_BINARY_DIR}/CMakeFiles/tessera_nvcc)
  if(NOT TESSERA_NVCC_WORKS STREQUAL "${TESSERA_NVCC} ${CMAKE_CXX_COMPILER}")
    file(WRITE ${probe}.cu "#include <bit>\n__global__ void kernel(int* x) { *x = 1; }\n")
    execute_process(COMMAND ${TESSERA_NVCC} -std=c++20 -ccbin ${CMAKE_CXX_COMPILER} -c ${probe}.cu
                            -o ${probe}.o
                    RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT status EQUAL 0)
      string(STRIP "${output}" output)
      set(TESSERA_CUDA_MISSING "${TESSERA_NVCC} does not compile C++20 with ${CMAKE_CXX_COMPILER}: \
${output}" PARENT_SCOPE)
      return()
    endif()
    set(TESSERA_NVCC_WORKS "${TESSERA_NVCC} ${CMAKE_CXX_COMPILER}" CACHE INTERNAL "")
  endif()
endfunction()

# A GPU here: its own architecture. None: that of the H100 and H200.
function(tessera_choose_architectures)
  if(DEFINED CMAKE_CUDA_ARCHITECTURES)
    return()
  endif()
  set(architectures 90a)
  if(EXISTS /dev/nvidiactl OR EXISTS /dev/nvidia0)
    set(architectures native)
  endif()
  set(CMAKE_CUDA_ARCHITECTURES ${architectures} CACHE STRING "GPUs to compile for")
endfunction()

if(TESSERA_CUDA STREQUAL "OFF")
  set(TESSERA_CUDA_MISSING "TESSERA_CUDA=OFF")
else()
  tessera_find_nvcc()
endif()
if(TESSERA_CUDA_MISSING)
  if(TESSERA_CUDA STREQUAL "ON")
    message(FATAL_ERROR "TESSERA_CUDA=ON: ${TESSERA_CUDA_MISSING}")
  endif()
  string(REGEX REPLACE "\n.*" "" reason "${TESSERA_CUDA_MISSING}")
  message(STATUS "tessera: CPU build (${reason})")
  return()
endif()

set(CMAKE_CUDA_COMPILER ${TESSERA_NVCC})
if(NOT CMAKE_CUDA_HOST_COMPILER)
  set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER})
endif()
tessera_choose_architectures()
enable_language(CUDA)
# CMake 3.25 knows no option for C++20 with nvcc and would silently compile C++17.
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
endif()
set(CMAKE_CUDA_FLAGS_RELEASE "-O3")  # asserts stay on
if(TESSERA_CCACHE)
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${TESSERA_CCACHE})
endif()
find_package(CUDAToolkit REQUIRED)

# Kernels apart: nvcc does not know the host's warning flags. Contractions are written, as on the
# host. A kernel that spills or uses local memory is a warning here and a mistake.
file(GLOB TESSERA_KERNELS CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cuda/*.cu)
file(GLOB TESSERA_CUDA_HOST CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/cuda/*.cpp)
function(tessera_cuda_options target)
  set_target_properties(${target} PROPERTIES CUDA_STANDARD 20 CUDA_STANDARD_REQUIRED ON)
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src
                                               ${PROJECT_SOURCE_DIR}/cuda)
  target_compile_options(${target} PRIVATE -fmad=false --expt-relaxed-constexpr
    -Xptxas=-warn-spills,-warn-lmem-usage "-Xcompiler=-Wall,-Wextra,-Wno-unknown-pragmas")
endfunction()
add_library(tessera_kernels OBJECT ${TESSERA_KERNELS})
tessera_cuda_options(tessera_kernels)
set(TESSERA_WITH_CUDA ON)

add_library(tessera_cuda_host OBJECT ${TESSERA_CUDA_HOST})
target_link_libraries(tessera_cuda_host PRIVATE tessera_options tessera_with_cuda)
target_include_directories(tessera_cuda_host SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
target_sources(tessera_core PRIVATE $<TARGET_OBJECTS:tessera_cuda_host> $<TARGET_OBJECTS:tessera_kernels>)
target_link_libraries(tessera_core PUBLIC CUDA::cudart_static ${CMAKE_DL_LIBS})
# tessera_f64 stays without: CUDA is float only.
target_link_libraries(tessera_backends INTERFACE tessera_with_cuda)
message(STATUS "tessera: CUDA ${CUDAToolkit_VERSION} for ${CMAKE_CUDA_ARCHITECTURES}")
