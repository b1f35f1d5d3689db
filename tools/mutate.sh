#!/usr/bin/env bash
# Asks whether the tests would notice a fault: plants those of tests/mutants.txt one at a time into a
# copy of the sources, under AddressSanitizer and UBSan, and names the test that fails.
#   tools/mutate.sh              all of them (an hour or two on two cores)
#   tools/mutate.sh --draw 6     six that the commit's hash draws
#   tools/mutate.sh TEXT         those whose line contains TEXT
# Exits 1 where a fault that is not known to be harmless stays unnoticed, and where a line no longer
# fits its file. Needs no toolkit and no GPU: kernels in cuda/ run in the emulator, in several orders.

source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cd "$tessera_root"
tessera_packages "${tessera_build_packages[@]}" "${tessera_test_packages[@]}"
mapfile -t mutants < <(grep -vE '^(#|$)' tests/mutants.txt)
case ${1:-} in
  "") ;;
  --draw)
    commit=$(git rev-parse HEAD 2>/dev/null || echo none)
    mapfile -t mutants < <(for line in "${mutants[@]}"; do
      printf '%s\t%s\n' "$(printf '%s %s' "$commit" "$line" | sha1sum | cut -c1-16)" "$line"
    done | sort | head -n "${2:-6}" | cut -f 2-) ;;
  *) mapfile -t mutants < <(printf '%s\n' "${mutants[@]}" | grep -F -- "$1") ;;
esac
[ "${#mutants[@]}" -gt 0 ] || { echo "mutate.sh: no line of tests/mutants.txt contains '$1'" >&2; exit 2; }

work=$tessera_root/build-mutate
tree=$work/tree build=$work/tree/build-asan
mkdir -p "$tree"
# Times are kept, so that a second call compiles what has changed.
tar -c CMakeLists.txt bench configs cuda include src tests tools | tar -x -C "$tree"
cmake -C tools/cmake/asan.cmake -S "$tree" -B "$build" -G Ninja \
  ${TESSERA_PREFIX:+-DCMAKE_PREFIX_PATH=$TESSERA_PREFIX/usr} >"$work/configure.log" 2>&1 ||
  { cat "$work/configure.log" >&2; exit 1; }

# Sets the program whose tests see a file, and those of them that could.
choose_tests() {  # FILE
  program=tests/simt/tessera_simt_tests
  case $1 in
    cuda/*) all="*/Cuda*:Deferred*:ReduceTest*:*Contract*:CudaContext*" schedules="inorder reverse priority:1" ;;
    src/cpu/*) all="*Cpu*:*Threads*:SimdTest*" schedules=inorder ;;
    src/ops/* | src/losses/* | src/nn/*) program=tests/tessera_f64_tests all="*" schedules=inorder ;;
    *) all="*" schedules=inorder ;;
  esac
}
compile() { cmake --build "$build" --target "$@" -j "$(tessera_jobs)" >"$work/build.log" 2>&1; }

killer() {  # FILTER...: prints what fails first and returns 0, or 1 where nothing does
  local filter schedule
  for filter in "$@"; do
    for schedule in $schedules; do
      ASAN_OPTIONS=detect_leaks=0 TESSERA_SIMT_SCHEDULE=$schedule GTEST_FAIL_FAST=1 timeout 300 \
        "$build/$program" --gtest_brief=1 --gtest_filter="$filter" >"$work/test.log" 2>&1 && continue
      grep -m 1 -oE '^\[  FAILED  \] [A-Za-z0-9_/]+\.[A-Za-z0-9_]+(/[A-Za-z0-9]+)?' "$work/test.log" | cut -c 14- ||
        grep -m 1 -oE '(SUMMARY: |runtime error: |Check failed|terminate called).*' "$work/test.log" | cut -c 1-100 ||
        echo "a crash, or more than 300 s"
      return 0
    done
  done
  return 1
}

programs=()
for line in "${mutants[@]}"; do
  choose_tests "${line%% *}"
  [[ " ${programs[*]} " == *" $program "* ]] || programs+=("$program")
done
echo "Building ${programs[*]##*/} (some minutes the first time)"
compile "${programs[@]}" || { grep -A 5 -E 'error|FAILED' "$work/build.log" | head -n 20 >&2; exit 1; }

killed=0 harmless=0 bad=0 number=0
for line in "${mutants[@]}"; do
  number=$((number + 1))
  # " | " separates fields; a pattern may hold a bare |.
  IFS=$'\x1f' read -r file operator edit filter reason <<<"${line// | /$'\x1f'}"
  label="[$number/${#mutants[@]}] $file, $operator, $edit"
  choose_tests "$file"
  cp "$tree/$file" "$work/original"  # not $file, which may be edited meanwhile
  perl -0777 -pe "$edit" "$work/original" >"$tree/$file"
  if cmp -s "$work/original" "$tree/$file"; then
    echo "$label: DOES NOT FIT the file any more" && bad=$((bad + 1))
  elif ! compile "$program"; then
    echo "$label: DOES NOT COMPILE" && bad=$((bad + 1))
  elif found=$(killer "$filter" "$all"); then
    echo "$label: killed by $found" && killed=$((killed + 1))
  elif [ -n "$reason" ]; then
    echo "$label: not noticed, harmless: $reason" && harmless=$((harmless + 1))
  else
    echo "$label: NOT NOTICED" && bad=$((bad + 1))
  fi
  cp "$work/original" "$tree/$file"
done
echo "$killed of ${#mutants[@]} faults were noticed, $harmless are harmless, $bad are not"
[ "$bad" = 0 ]
