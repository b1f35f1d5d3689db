#!/usr/bin/env bash
# What the CNN on initial grids brings: tokenizers of the simulated data with the CNN trained, with the
# same CNN as it is initialised (trainable: false), and without one (the 14 given columns alone). All three
# have the same tokens: 6 categories x 3 levels of 32, 16 and 8 codes, 72 bits a sample.
#   tools/examples/encoder_ablation.sh [key.path=value ...]     overrides go to every training
# From the environment, with defaults:
#   TESSERA   the program                            build/tessera
#   SEEDS     a seed decides split and start         0 1 2
#   EPOCHS                                           15
#   OUT       data and a run folder for each run     runs/encoder_ablation
#   THREADS   of training                            the program's own default
# An encoder can make features that are easy to reconstruct, so the error of all features says nothing
# between the three. What does: the error of the columns that all have, and what can be read from the
# decoded features of samples that none has seen (python3, nothing beyond its standard library).

set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
tessera=${TESSERA:-$root/build/tessera}
seeds=${SEEDS:-0 1 2}
epochs=${EPOCHS:-15}
out=${OUT:-$root/runs/encoder_ablation}
threads=${THREADS:+--threads $THREADS}
[ -x "$tessera" ] || { echo "encoder_ablation.sh: $tessera is not there; build it or set TESSERA" >&2; exit 2; }
mkdir -p "$out"
[ -e "$out/train" ] || "$tessera" simulate --samples 2000 --frames 64 --seed 0 --output "$out/train"
[ -e "$out/test" ] || "$tessera" simulate --samples 500 --frames 64 --seed 1 --output "$out/test"

# The config of one variant, whose family initial has the encoder that is given.
config() {
  cat >"$out/$1.yaml" <<YAML
data: {path: $out/train}
families:
  initial: $2
  summary: {encoder: identity}
categories: {num_categories: 6}
model:
  kind: categorical
  category_embedding_dim: 64
  category_hidden_dim: 128
  levels: {"*": [{code_dim: 16, codebook_size: 32}, {code_dim: 16, codebook_size: 16}, {code_dim: 16, codebook_size: 8}]}
training:
  batch_size: 64
  learning_rate: 2e-3
  schedule: {kind: cosine, warmup_steps: 20, final_fraction: 0.05}
YAML
}
config trained '{encoder: initial_hybrid}'
config frozen '{encoder: initial_hybrid, encoder_params: {trainable: false}}'
config absent '{encoder: identity}'

for variant in trained frozen absent; do
  : >"$out/$variant.txt"
  for seed in $seeds; do
    run=$out/$variant-$seed
    "$tessera" train --config "$out/$variant.yaml" --output "$run" --seed "$seed" \
      --epochs "$epochs" --resume auto $threads "$@" >"$run.log"
    "$tessera" eval --checkpoint "$run/last.safetensors" --data "$out/test" --json >"$run.json"
    for set in train test; do
      "$tessera" encode --checkpoint "$run/last.safetensors" --input "$out/$set" --output "$run/$set.npy" --quiet
      "$tessera" decode --checkpoint "$run/last.safetensors" --tokens "$run/$set.npy" \
        --output "$run/$set.decoded.npy" --quiet
    done
    echo "$seed $(python3 "$root/tools/examples/encoder_probe.py" "$out" "$run")" >>"$out/$variant.txt"
  done
done

printf '%-8s %4s  %9s %9s %9s  %10s %8s  %7s\n' CNN seed all initial summary parameters grids seconds
for variant in trained frozen absent; do
  awk -v name="$variant" '
    function row(label, v) {
      printf "%-8s %4s  %9.5f %9.5f %9.5f  %10.3f %8.3f  %7.0f\n", name, label, v[2], v[3], v[4], \
             v[5], v[6], v[7]
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
    }' "$out/$variant.txt"
done
cat <<END

all         error of all features, those of the CNN among them: not the same thing in each row
initial     error of the given columns of initial, which all three have; normalised features
summary     the same of the columns of summary
parameters  share of the variance of the simulation's parameters that a linear map finds in the decoded
            features: fitted to the 2,000 samples, measured on 500 others, mean over parameters
grids       the same of the means of the initial grids over 16 x 16 cells, in order of size: the CNN ends in
            a mean over positions and does not say where something lies
+-          deviation between seeds; every column is of the 500 samples that none has trained on
END
