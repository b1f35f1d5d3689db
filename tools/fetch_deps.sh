#!/usr/bin/env bash
# Unpacks the Debian packages that the build needs into a folder, without root:
#   tools/fetch_deps.sh PREFIX
# Then build with it, here or on a machine without a network to which the folder was copied:
#   TESSERA_PREFIX=PREFIX tools/test.sh        or   cmake -DCMAKE_PREFIX_PATH=PREFIX/usr ...
# Needs apt-get with package lists (apt-get update) and dpkg-deb. g++ and cmake are taken as given.

set -euo pipefail
[ $# = 1 ] || { echo "usage: tools/fetch_deps.sh PREFIX" >&2; exit 2; }
for tool in apt-get dpkg-deb; do
  command -v $tool >/dev/null || { echo "fetch_deps.sh: $tool is missing; run it on Debian 12" >&2; exit 69; }
done
mkdir -p "$1"
prefix=$(cd "$1" && pwd)
packages=(libyaml-cpp-dev libyaml-cpp0.7 libcli11-dev nlohmann-json3-dev libfmt-dev libfmt9 libhwy-dev
  libhwy1 libhdf5-dev libaec-dev zlib1g-dev zlib1g libgtest-dev libgmock-dev googletest librapidcheck-dev
  dataset-fashion-mnist)

archives=$(mktemp -d)
trap 'rm -rf "$archives"' EXIT
echo "Fetching ${#packages[@]} packages"
(cd "$archives" && apt-get download -q "${packages[@]}" >/dev/null)
for archive in "$archives"/*.deb; do dpkg-deb -x "$archive" "$prefix"; done
rm -rf "$prefix/usr/share/doc" "$prefix/usr/share/man" "$prefix/usr/src"
# pkg-config and CMake files find their own prefix; a link that leaves it would not.
find "$prefix" -type l -lname '/*' -delete
echo "Unpacked into $prefix ($(du -sm "$prefix" | cut -f1) MiB)"
