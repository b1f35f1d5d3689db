#!/usr/bin/env bash
# Feeds the readers of files damaged and invented bytes:
#   tools/fuzz.sh [SECONDS [READER...]]     default: 60 seconds for each reader, as many at a time as cores
# An input that crashes a reader, leaks, or makes it take more than 256 MiB at once or 512 MiB in all
# fails; it is kept in build-fuzz/found, and belongs into tests/fuzz/corpus/<reader> once mended, where
# the tests read it again each time.

source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cd "$tessera_root"
seconds=${1:-60}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo "usage: tools/fuzz.sh [SECONDS [READER...]]" >&2; exit 2; }
shift || true
readers=("$@")
[ $# -gt 0 ] || mapfile -t readers < <(ls tests/fuzz/corpus)
tessera_packages "${tessera_build_packages[@]}" "${tessera_test_packages[@]}" clang-14 libclang-rt-14-dev
build=$tessera_root/build-fuzz
mkdir -p "$build"
cmake -C tools/cmake/fuzz.cmake -S . -B "$build" -G Ninja ${TESSERA_PREFIX:+-DCMAKE_PREFIX_PATH=$TESSERA_PREFIX/usr} \
  >"$build/configure.log" 2>&1 || { cat "$build/configure.log" >&2; exit 1; }
cmake --build "$build" --target tessera_fuzz -j "$(tessera_jobs)" >"$build/build.log" 2>&1 ||
  { grep -A 5 -E 'error|FAILED' "$build/build.log" | head -n 40 >&2; exit 1; }

fuzz_one() {  # READER: its log, and one line
  local reader=$1 log=$build/$1.log
  mkdir -p "$build/corpus/$reader" "$build/found/$reader"
  # -timeout: one input may take 5 s, which nothing does that is linear in its size.
  if TESSERA_FUZZ_READER=$reader "$build/tests/tessera_fuzz" -max_total_time="$seconds" -timeout=5 \
      -rss_limit_mb=512 -malloc_limit_mb=256 -max_len=65536 -print_final_stats=1 \
      -artifact_prefix="$build/found/$reader/" "$build/corpus/$reader" "tests/fuzz/corpus/$reader" \
      >"$log" 2>&1; then
    echo "$reader: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs in $seconds s, nothing found"
  else
    echo "$reader: FOUND $(grep -m 1 -E 'SUMMARY|ERROR' "$log" | cut -c1-160)"
    return 1
  fi
}
export -f fuzz_one
export build seconds
# Each reader has a thread of its own; a failure of one is the failure of all.
printf '%s\n' "${readers[@]}" | xargs -P "$(tessera_jobs)" -I{} bash -c 'fuzz_one {}'
