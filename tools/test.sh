#!/usr/bin/env bash
# Installs what is missing, builds everything and runs all tests.
#   tools/test.sh [ctest arguments]      as in: tools/test.sh -R VqAssign
# The last line is "N passed, N failed, N skipped"; the exit code is 0 where none failed.

source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cd "$tessera_root"
tessera_packages "${tessera_build_packages[@]}" "${tessera_test_packages[@]}"
tessera_configure -DTESSERA_TESTS=ON -DTESSERA_BENCH=ON
tessera_compile
log=$tessera_build/test.log
set +e
ctest --test-dir "$tessera_build" --no-tests=error --output-on-failure -j "$(tessera_jobs)" "$@" 2>&1 |
  tee "$log" | grep -vE '^ *Start |\. +Passed +[0-9.]+ sec$'
status=${PIPESTATUS[0]}
set -e

# What ctest itself says it ran; a test that could not start has failed.
total=$(sed -nE 's/^[0-9]+% tests passed, [0-9]+ tests failed out of ([0-9]+)$/\1/p' "$log")
passed=$(grep -cE '^ *[0-9]+/[0-9]+ Test .* Passed ' "$log" || true)
skipped=$(grep -cE '^ *[0-9]+/[0-9]+ Test .*\*\*\*Skipped' "$log" || true)
failed=$((${total:-0} - passed - skipped))
if [ "$failed" -le 0 ] && { [ "$status" != 0 ] || [ "${total:-0}" = 0 ]; }; then failed=1; fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
