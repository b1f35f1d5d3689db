#!/usr/bin/env bash
# Runs tests under sanitizers; the modes are explained in tests/simt/CMakeLists.txt.
#   tools/sanitize.sh asan      tests under AddressSanitizer and UBSan, kernels on the emulator too
#   tools/sanitize.sh tsan      kernels on the emulator under ThreadSanitizer: by thread, warp and block
#   tools/sanitize.sh tsan-cpu  the CPU backend under ThreadSanitizer, with 2 and 3 threads
#   tools/sanitize.sh all       all of these; also without arguments
# With a gtest filter behind the mode, only those of the tests that run on every backend:
#   tools/sanitize.sh tsan '*VqAssign*/Cuda'
# The emulator gives kernels real shared and global memory, so the sanitizers see every access.

source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cd "$tessera_root"

build_for() {  # asan|tsan TARGET...: build-asan or build-tsan holds the targets
  local preset=$1 start=$SECONDS
  shift
  local folder=$tessera_root/build-$preset
  mkdir -p "$folder"
  cmake -C "tools/cmake/$preset.cmake" -S . -B "$folder" -G Ninja \
    ${TESSERA_PREFIX:+-DCMAKE_PREFIX_PATH=$TESSERA_PREFIX/usr} >"$folder/configure.log" 2>&1 ||
    { cat "$folder/configure.log" >&2; exit 1; }
  cmake --build "$folder" --target "$@" -j "$(tessera_jobs)" >"$folder/build.log" 2>&1 ||
    { grep -A 5 -E 'error|FAILED' "$folder/build.log" | head -n 40 >&2; exit 1; }
  echo "build-$preset: built in $((SECONDS - start)) s"
}

run_tests() {  # asan|tsan LABEL: the tests with labels that match LABEL
  ctest --test-dir "build-$1" -L "$2" --no-tests=error --output-on-failure -j "$(tessera_jobs)" |
    grep -vE '^ *Start |^Internal ctest|^Test project|^$'
}

run_filter() {  # asan|tsan FILTER [VARIABLE=VALUE...]
  env "${@:3}" setarch "$(uname -m)" -R "build-$1/tests/simt/tessera_simt_tests" --gtest_brief=1 --gtest_filter="$2"
}

sanitize() {  # MODE [FILTER]
  case $1 in
    asan)
      tessera_packages "${tessera_build_packages[@]}" "${tessera_test_packages[@]}"
      if [ $# = 2 ]; then
        build_for asan tessera_simt_tests
        run_filter asan "$2" ASAN_OPTIONS=detect_leaks=0
      else
        build_for asan tessera_simt_tests tessera_planted_tests tessera_tests tessera_f64_tests
        run_tests asan '^asan$'
      fi ;;
    tsan | tsan-cpu)
      tessera_packages "${tessera_build_packages[@]}" "${tessera_test_packages[@]}" "${tessera_tsan_packages[@]}"
      if [ "$1" = tsan-cpu ]; then
        build_for tsan tessera_simt_tests
        if [ $# = 2 ]; then run_filter tsan "$2" TESSERA_THREADS=3; else run_tests tsan '^tsan-cpu$'; fi
      elif [ $# = 2 ]; then
        build_for tsan tessera_simt_tests
        for granularity in thread warp block; do run_filter tsan "$2" TESSERA_SIMT_TSAN=$granularity; done
      else
        build_for tsan tessera_simt_tests tessera_planted_tests
        run_tests tsan '^tsan-(thread|warp|block)$'
      fi ;;
    all)
      for mode in asan tsan tsan-cpu; do sanitize "$mode" "${@:2}"; done ;;
    *)
      echo "tools/sanitize.sh: $1 is not a mode; use asan, tsan, tsan-cpu or all" >&2
      exit 2 ;;
  esac
}

[ $# -le 2 ] || { echo "usage: tools/sanitize.sh [asan|tsan|tsan-cpu|all [gtest filter]]" >&2; exit 2; }
[ $# -gt 0 ] || set -- all
sanitize "$@"
