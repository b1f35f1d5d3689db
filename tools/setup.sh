#!/usr/bin/env bash
# Installs what is missing and configures the build. Sourced by quickstart.sh and test.sh.
#   tessera_packages PACKAGE...   all of them are installed afterwards, or the script ends with 69
#   tessera_configure OPTION...   build/ is configured; extra options go to cmake

set -euo pipefail
tessera_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
tessera_build=${TESSERA_BUILD_DIR:-$tessera_root/build}

tessera_build_packages=(g++ cmake ninja-build ccache pkgconf libyaml-cpp-dev libcli11-dev
  nlohmann-json3-dev libfmt-dev libhwy-dev libhdf5-dev zlib1g-dev)
tessera_test_packages=(libgtest-dev libgmock-dev librapidcheck-dev)
tessera_tsan_packages=(clang-14 libclang-rt-14-dev llvm-14 util-linux)  # llvm names lines in reports

tessera_missing() {  # prints the packages of its arguments that are not installed
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
      printf '%s\n' "$package"
  done
}

tessera_as_root() {  # runs its arguments as root, or fails
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    sudo "$@"
  else
    return 1
  fi
}

tessera_install() {  # installs its arguments; fails where that cannot be done
  echo "Installing: $*"
  tessera_as_root apt-get update -q >/dev/null &&
    tessera_as_root env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y -q --no-install-recommends "$@" >/dev/null
}

tessera_packages() {
  [ -z "${TESSERA_PREFIX:-}" ] || return 0  # unpacked by tools/fetch_deps.sh
  local missing
  if ! command -v dpkg-query >/dev/null; then
    echo "This is not Debian or Ubuntu: nothing is installed; the build needs ${*}."
    return 0
  fi
  mapfile -t missing < <(tessera_missing "$@")
  [ "${#missing[@]}" -gt 0 ] || return 0
  if ! tessera_install "${missing[@]}"; then
    echo "These packages are missing and cannot be installed from here. As an administrator, run:" >&2
    echo "  apt-get install -y ${missing[*]}" >&2
    exit 69
  fi
}

tessera_configure() {
  local log
  log=$(mktemp)
  if ! cmake -S "$tessera_root" -B "$tessera_build" -G Ninja ${TESSERA_PREFIX:+-DCMAKE_PREFIX_PATH=$TESSERA_PREFIX/usr} \
      "$@" >"$log" 2>&1; then
    cat "$log" >&2
    rm -f "$log"
    exit 1
  fi
  grep 'tessera:' "$log" || true
  rm -f "$log"
}

tessera_jobs() { nproc; }

tessera_compile() {  # builds the targets of its arguments (none: all); a failure shows what failed
  local log=$tessera_build/build.log targets=()
  [ $# = 0 ] || targets=(--target "$@")
  echo "Building (some minutes the first time; log: ${log#"$tessera_root/"})"
  if ! cmake --build "$tessera_build" "${targets[@]}" -j "$(tessera_jobs)" >"$log" 2>&1; then
    grep -A 5 -E 'error|FAILED' "$log" | head -n 40 >&2
    echo "The build failed; all of it: $log" >&2
    exit 1
  fi
}
