#!/usr/bin/env bash
# Raw grids and series to tokens: simulates samples of 16 to 256 steps, trains the tokenizer whose CNN,
# pyramid and categories are learned together, and the one with fixed categories beside it; evaluates both,
# turns the samples into tokens and back, writes a page on each.
#   tools/demo_hybrid.sh [key.path=value ...]     overrides go to both trainings
# From the environment, with defaults:
#   SAMPLES                                         1000
#   EPOCHS                                          20
#   TESSERA_HYBRID_DIR   data and run folders       runs/hybrid
# The configs are for 10,000 samples; what is made smaller here is printed. Exits 69 where packages are
# missing and neither root nor sudo is at hand.

source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
start=$SECONDS
cd "$tessera_root"
out=${TESSERA_HYBRID_DIR:-$tessera_root/runs/hybrid}
epochs=${EPOCHS:-20}
data=$out/data.h5
smaller=(training.batch_size=64 training.validation_interval=1 training.schedule.warmup_steps=5
  model.category_embedding_dim=64 model.category_hidden_dim=128 losses.topographic_samples=64
  families.initial.encoder_params.embedding_dim=28
  'families.temporal.encoder_params.level_dims=[8,12,16,24]')

echo "== 1/7 packages"
tessera_packages "${tessera_build_packages[@]}"

echo "== 2/7 build"
tessera_configure -DTESSERA_TESTS=OFF -DTESSERA_BENCH=OFF
tessera_compile tessera_cli
tessera=$tessera_build/tessera

echo "== 3/7 simulate initial grids and series of 16, 32, 64, 128 or 256 steps"
mkdir -p "$out"
[ -e "$data" ] || "$tessera" simulate --samples "${SAMPLES:-1000}" --frames 256 --variable-lengths --output "$data"

train() {  # config, run folder, more overrides
  local config=$1 run=$2
  shift 2
  "$tessera" train --config "configs/vqvae/$config.yaml" --input "$data" --output "$run" \
    --epochs "$epochs" --resume auto "${smaller[@]}" "$@"
}
printf 'Smaller than in the configs:\n'
printf '  %s\n' "${smaller[@]}"
echo "== 4/7 train: categories learned, CNN and pyramid learn with them"
train learnable_hybrid_variable_length "$out/learnable" "$@"
echo "== 5/7 train: the same with fixed categories"
train baseline_vqvae_variable_length "$out/baseline" "$@"

echo "== 6/7 evaluate on the rows held out"
for run in learnable baseline; do
  "$tessera" eval --checkpoint "$out/$run" | tee "$out/$run.txt"
  "$tessera" report --checkpoint "$out/$run"
done

echo "== 7/7 tokens and back"
"$tessera" encode --checkpoint "$out/learnable" --input "$data" --output "$out/tokens.npy"
"$tessera" decode --checkpoint "$out/learnable" --tokens "$out/tokens.npy" --output "$out/decoded.npy"

cat <<MADE

Made in $((SECONDS - start)) s, in ${out#"$tessera_root/"}:
  data.h5                    samples: initial grids, 14 named features, series, their lengths
  learnable/, baseline/      the models, metrics.jsonl, report.html; learnable.txt, baseline.txt: what eval said
  tokens.npy, tokens.json    tokens of each sample by the learnable model, and what each column is
  decoded.npy, decoded.names.json   the features they stand for
Try next:
  ${tessera#"$tessera_root/"} inspect --checkpoint ${out#"$tessera_root/"}/learnable
  EPOCHS=100 SAMPLES=4000 TESSERA_HYBRID_DIR=runs/hybrid_4000 tools/demo_hybrid.sh
MADE
