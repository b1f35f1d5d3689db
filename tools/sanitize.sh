#!/usr/bin/env bash
# Runs the tests that run on every backend, CUDA emulated, under AddressSanitizer and UBSan:
#   tools/sanitize.sh [gtest filter]
# The emulator gives kernels real shared and global memory, so the sanitizers see every access.

source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cd "$tessera_root"
tessera_packages "${tessera_build_packages[@]}" "${tessera_test_packages[@]}"
build=$tessera_root/build-asan
mkdir -p "$build"
cmake -C tools/cmake/asan.cmake -S . -B "$build" -G Ninja ${TESSERA_PREFIX:+-DCMAKE_PREFIX_PATH=$TESSERA_PREFIX/usr} \
  >"$build/configure.log" 2>&1 || { cat "$build/configure.log" >&2; exit 1; }
cmake --build "$build" --target tessera_simt_tests -j "$(tessera_jobs)" | tail -n 1
# Contexts live until the program ends, on purpose.
ASAN_OPTIONS=detect_leaks=0 "$build/tests/simt/tessera_simt_tests" --gtest_brief=1 \
  --gtest_filter="${1:-*/Cuda*:Emulator*-EmulatorDeath*}" | tail -n 4
