#!/usr/bin/env bash
# Installs what is missing, builds everything and runs all tests.
#   tools/test.sh [ctest arguments]      as in: tools/test.sh -R VqAssign
# The last line is "N passed, N failed, N skipped"; the exit code is 0 where none failed.

source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cd "$tessera_root"
tessera_packages "${tessera_build_packages[@]}" "${tessera_test_packages[@]}"
tessera_configure -DTESSERA_TESTS=ON -DTESSERA_BENCH=ON
cmake --build "$tessera_build" -j "$(tessera_jobs)" | tail -n 1
log=$tessera_build/test.log
ctest --test-dir "$tessera_build" --no-tests=error --output-on-failure -j "$(tessera_jobs)" "$@" \
  2>&1 | tee "$log" | grep -vE '^ *Start |\. +Passed +[0-9.]+ sec$' || true

passed=$(grep -cE '^ *[0-9]+/[0-9]+ Test .* Passed ' "$log" || true)
skipped=$(grep -cE '^ *[0-9]+/[0-9]+ Test .*\*\*\*(Skipped|Not Run)' "$log" || true)
total=$(grep -cE '^ *[0-9]+/[0-9]+ Test ' "$log" || true)
failed=$((total - passed - skipped))
[ "$total" -gt 0 ] || failed=1
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
