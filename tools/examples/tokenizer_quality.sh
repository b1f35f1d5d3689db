#!/usr/bin/env bash
# How well a tokenizer of named features does: trains configs with several seeds and sets what
# `tessera eval` says of the validation rows beside residual k-means of the same categories and
# codebook sizes.
#   tools/examples/tokenizer_quality.sh [key.path=value ...]     overrides go to every training
# From the environment, with defaults:
#   TESSERA   the program                            build/tessera
#   CONFIGS   what is trained                        configs/tokenizer_baseline.yaml configs/tokenizer_quality.yaml
#   SEEDS     a seed decides split and start         0 1 2 3 4
#   DATA      simulated first where it is missing    runs/sim_10000.h5
#   OUT       a run folder for each config and seed  runs/tokenizer_quality
#   THREADS   of training                            the program's own default
# The last epoch is measured, not the best: nothing is chosen by the rows that are reported. Runs that
# are there already go on or are only measured again.

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tessera=${TESSERA:-$root/build/tessera}
configs=${CONFIGS:-$root/configs/tokenizer_baseline.yaml $root/configs/tokenizer_quality.yaml}
seeds=${SEEDS:-0 1 2 3 4}
data=${DATA:-$root/runs/sim_10000.h5}
out=${OUT:-$root/runs/tokenizer_quality}
threads=${THREADS:+--threads $THREADS}
[ -x "$tessera" ] || { echo "tokenizer_quality.sh: $tessera is not there; build it or set TESSERA" >&2; exit 2; }
mkdir -p "$out"
if [ ! -e "$data" ]; then
  mkdir -p "$(dirname "$data")"
  "$tessera" simulate --samples 10000 --seed 0 --output "$data"
fi

# What the table has of one run: numbers of the evaluation, of which only those that are not in a list
# matter here, and the seconds that its epochs took.
numbers() {
  awk -F '[:,]' '
    /^ "[a-z_]+": \{/ { section = $1 " " }
    /^ [}\]"]/ && !/\{$/ { section = "" }
    /^  ?"/ { name = section $1; gsub(/[ "]+/, " ", name); value[name] = $2 }
    END {
      printf "%s %s %s %s %s %s %s %s", value[" reconstruction_error "], \
             value[" residual_kmeans error "], value[" residual_kmeans ratio "], \
             value[" utilization "], value[" topographic_pre "], value[" topographic_post "], \
             value[" topographic_end_to_end "], value[" token_survival "]
    }' "$1.json"
  awk '{ sub(/.*"seconds":/, ""); seconds += $0 } END { printf " %.0f\n", seconds }' "$1/metrics.jsonl"
}

for config in $configs; do
  name=$(basename "$config" .yaml)
  : >"$out/$name.txt"
  for seed in $seeds; do
    run=$out/$name-$seed
    "$tessera" train --config "$config" --input "$data" --output "$run" --seed "$seed" \
      --resume auto $threads "$@" >"$run.log"
    "$tessera" eval --checkpoint "$run/last.safetensors" --json >"$run.json"
    echo "$seed $(numbers "$run")" >>"$out/$name.txt"
  done
done

printf '%-22s %4s  %8s %8s %6s  %6s  %6s %6s %6s  %6s  %7s\n' config seed error k-means ratio \
  used pre post ends kept seconds
for config in $configs; do
  name=$(basename "$config" .yaml)
  awk -v name="$name" '
    function row(label, v) {
      printf "%-22s %4s  %8.5f %8.5f %6.3f  %5.1f%%  %6.3f %6.3f %6.3f  %5.1f%%  %7.0f\n", name, \
             label, v[2], v[3], v[4], 100 * v[5], v[6], v[7], v[8], 100 * v[9], v[10]
    }
    {
      for (i = 2; i <= NF; ++i) { v[i] = $i; sum[i] += $i; squares[i] += $i * $i }
      row($1, v)
    }
    END {
      for (i = 2; i <= NF; ++i) {
        mean[i] = sum[i] / NR
        left = NR > 1 ? (squares[i] - NR * mean[i] * mean[i]) / (NR - 1) : 0
        spread[i] = left > 0 ? sqrt(left) : 0
      }
      row("mean", mean)
      row("+-", spread)
    }' "$out/$name.txt"
done
cat <<END

error     mean over validation rows and features of (x - x_hat)^2, normalised features
k-means   the same error of residual k-means; ratio: error / k-means
used      mean over codebooks of codes used at least once
pre, post, ends   correlation of distances: inputs to latents, latents to codes, inputs to codes
kept      tokens that come back after decode and encode;  +-: deviation between seeds
END
