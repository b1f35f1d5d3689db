#!/usr/bin/env bash
# Registers, shared memory and spills of every CUDA kernel for sm_90a, against the committed budget:
#   tools/resource_gate.sh            prints the table; fails on a spill, on local memory, on a kernel
#                                     above its budget in cuda/resources.txt, and on one without
#   tools/resource_gate.sh --update   writes what was measured as the new budget
# Needs nvcc, no GPU. Exits 77 where there is no nvcc.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
budget=cuda/resources.txt
nvcc=$(command -v nvcc || ls /usr/local/cuda/bin/nvcc 2>/dev/null || true)
[ -n "$nvcc" ] || { echo "no nvcc here; the resource gate is skipped"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

measure() {  # FILE: lines "file kernel registers static_shared stack spills"
  local name
  name=$(basename "$1" .cu)
  "$nvcc" -std=c++20 -O3 -arch=sm_90a -fmad=false --expt-relaxed-constexpr -Iinclude -Isrc -Icuda \
    --resource-usage -cubin "$1" -o "$work/$name.cubin" 2>"$work/$name.log" ||
    { cat "$work/$name.log" >&2; return 1; }
  c++filt <"$work/$name.log" | awk -v file="$name" '
    /Function properties for|Compiling entry function/ {
      line = $0
      if (match(line, /[A-Za-z0-9_]+_kernel/)) kernel = substr(line, RSTART, RLENGTH)
    }
    /bytes stack frame/ { stack = $1; spills = $5 + $9 }
    /Used [0-9]+ registers/ {
      registers = shared = 0
      for (i = 1; i <= NF; ++i) {
        if ($i == "registers,") registers = $(i - 1)
        if ($i == "smem,") shared = $(i - 2)
        if ($i == "smem") shared = $(i - 2)
      }
      key = file " " kernel
      if (registers > most[key]) most[key] = registers
      if (shared > memory[key]) memory[key] = shared
      frames[key] += stack
      spilled[key] += spills
    }
    END { for (key in most) print key, most[key], memory[key] + 0, frames[key] + 0, spilled[key] + 0 }'
}
export -f measure
export nvcc work
ls cuda/*.cu | xargs -P "$(nproc)" -I{} bash -c 'measure {} >"$work/$(basename {}).txt"'
sort "$work"/*.txt >"$work/all"

if [ "${1:-}" = --update ]; then
  { echo "# file kernel registers static_shared_bytes (most of all instances, sm_90a; tools/resource_gate.sh)"
    cut -d' ' -f1-4 "$work/all"; } >"$budget"
  echo "$budget: $(grep -vc '^#' "$budget") kernels"
  exit 0
fi
printf '%-14s %-34s %9s %9s %6s %6s  %s\n' file kernel registers shared stack spills budget
failed=0
while read -r file kernel registers shared stack spills; do
  allowed=$(awk -v f="$file" -v k="$kernel" '$1 == f && $2 == k { print $3, $4 }' "$budget")
  verdict=ok
  if [ -z "$allowed" ]; then verdict="NO BUDGET: add it with --update"
  elif [ "$registers" -gt "${allowed% *}" ] || [ "$shared" -gt "${allowed#* }" ]; then
    verdict="ABOVE BUDGET (${allowed% *} registers, ${allowed#* } bytes)"
  fi
  [ "$stack" = 0 ] && [ "$spills" = 0 ] || verdict="LOCAL MEMORY OR SPILLS"
  [ "$verdict" = ok ] || failed=1
  printf '%-14s %-34s %9s %9s %6s %6s  %s\n' "$file" "$kernel" "$registers" "$shared" "$stack" "$spills" "$verdict"
done <"$work/all"
exit $failed
