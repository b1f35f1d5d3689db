#!/usr/bin/env bash
# Proves on pristine Debian 12 roots that the two commands of the README are all it takes:
#   tools/fresh_machine.sh [bare|toolkit|all]        default all; needs to be root
# bare     no nvcc: tools/quickstart.sh, then tools/test.sh
# toolkit  this machine's CUDA toolkit is there but not on PATH: the smoke tests, and once more without
#          a network
# The roots lie in build-fresh and are made anew each time. Packages come from the mirror that this
# machine uses; compiled objects are shared through ccache where it has them.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
work=${TESSERA_FRESH_DIR:-$root/build-fresh}
which=${1:-all}
[[ $which =~ ^(bare|toolkit|all)$ ]] || { echo "usage: tools/fresh_machine.sh [bare|toolkit|all]" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "fresh_machine.sh: making a root needs root; not run" >&2; exit 77; }
# Mounts of a private namespace vanish with it, however this script ends.
unshare --mount --propagation private true 2>/dev/null ||
  { echo "fresh_machine.sh: mounts are not allowed here; not run" >&2; exit 77; }
[ -n "${TESSERA_FRESH_PRIVATE:-}" ] || TESSERA_FRESH_PRIVATE=1 exec unshare --mount --propagation private "$0" "$@"
source "$root/tools/setup.sh"
tessera_packages debootstrap >/dev/null

mirror=$(awk '/^URIs:/ {print $2; exit} /^deb / {for (i = 2; i <= NF; i++) if ($i ~ /^http/) {print $i; exit}}' \
  /etc/apt/sources.list.d/*.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true)
cache=${CCACHE_DIR:-$HOME/.cache/ccache}
mkdir -p "$work" "$work/archives" "$cache"

make_base() {
  [ ! -e "$work/base/etc/debian_version" ] || return 0
  rm -rf "$work/base" "$work/base.part"
  debootstrap --variant=minbase bookworm "$work/base.part" ${mirror:+"$mirror"} >"$work/debootstrap.log" 2>&1 ||
    { tail -n 5 "$work/debootstrap.log" >&2; echo "fresh_machine.sh: no Debian root can be made here; not run" >&2; exit 77; }
  apt-config dump 2>/dev/null | grep -E '^Acquire::(http|https)::Proxy|^Acquire::Check-' \
    >"$work/base.part/etc/apt/apt.conf.d/90host" || true
  mv "$work/base.part" "$work/base"
}

open_root() {  # NAME: a copy of the base with the sources at this checkout's path: the cache knows them by it
  local fresh=$work/$1
  rm -rf "$fresh" && mkdir -p "$fresh"
  cp -a "$work/base/." "$fresh"
  mkdir -p "$fresh$root" "$fresh/ccache"
  # What a clone of this checkout would hold, changes included.
  (cd "$root" && { git ls-files -co --exclude-standard 2>/dev/null | while read -r file; do
      [ ! -e "$file" ] || printf '%s\n' "$file"; done || find . -type f -not -path './build*'; } |
    tar -c -T -) | tar -x -C "$fresh$root"
  cp /etc/resolv.conf "$fresh/etc/resolv.conf"
  mount --rbind /dev "$fresh/dev"
  mount -t proc proc "$fresh/proc"
  mount --bind "$work/archives" "$fresh/var/cache/apt/archives"
  mount --bind "$cache" "$fresh/ccache"
}

inside() {  # NAME COMMAND...: runs it in the root as a new user's shell would
  local fresh=$work/$1
  shift
  chroot "$fresh" /usr/bin/env -i HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 CCACHE_DIR=/ccache /bin/bash -c "cd '$root' && $*"
}

run_bare() {
  open_root bare
  ! inside bare "command -v nvcc" || { echo "the root has nvcc" >&2; exit 1; }
  inside bare tools/quickstart.sh
  inside bare tools/test.sh
}

run_toolkit() {
  local toolkit
  toolkit=$(readlink -f /usr/local/cuda 2>/dev/null || true)
  [ -x "$toolkit/bin/nvcc" ] || { echo "no CUDA toolkit in /usr/local/cuda: the second root is not run"; return; }
  open_root toolkit
  mkdir -p "$work/toolkit/usr/local/cuda"
  mount --bind -o ro "$toolkit" "$work/toolkit/usr/local/cuda"
  ! inside toolkit "command -v nvcc" || { echo "nvcc is on PATH" >&2; exit 1; }
  inside toolkit tools/test.sh -L smoke
  grep -q 'TESSERA_NVCC:FILEPATH=/usr/local/cuda/bin/nvcc' "$work/toolkit$root/build/CMakeCache.txt" ||
    { echo "the build did not find the toolkit" >&2; exit 1; }
  echo "Once more without a network:"
  unshare --net chroot "$work/toolkit" /usr/bin/env -i HOME=/root PATH=/usr/bin:/bin CCACHE_DIR=/ccache \
    /bin/bash -c "cd '$root' && tools/test.sh -L smoke"
}

make_base
[ "$which" = toolkit ] || run_bare
[ "$which" = bare ] || run_toolkit
echo "A fresh Debian 12 takes nothing but the commands of the README"
