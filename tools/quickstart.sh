#!/usr/bin/env bash
# From nothing to a trained tokenizer: installs what is missing, builds the program, trains the dense
# VQ-VAE on Fashion-MNIST, evaluates it, turns the test images into tokens and back, draws a picture;
# then simulates a small data set of named features and does the same with a tokenizer of their categories.
#   tools/quickstart.sh [key.path=value ...]     overrides go to the first training
# Exits 69 where packages are missing and neither root nor sudo is at hand.

source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
start=$SECONDS
cd "$tessera_root"
out=${TESSERA_QUICKSTART_DIR:-$tessera_root/runs/quickstart}

echo "== 1/9 packages"
tessera_packages "${tessera_build_packages[@]}"
images=${TESSERA_PREFIX:-}/usr/share/datasets/fashion-mnist
if [ ! -e "$images" ] && [ -z "${TESSERA_PREFIX:-}" ] && ! tessera_install dataset-fashion-mnist 2>/dev/null; then
  echo "Fashion-MNIST (Debian package dataset-fashion-mnist) cannot be had here: using generated images."
fi

echo "== 2/9 build"
tessera_configure -DTESSERA_TESTS=OFF -DTESSERA_BENCH=OFF
tessera_compile tessera_cli
tessera=$tessera_build/tessera
if [ ! -e "$images" ]; then
  images=$out/generated-images
  "$tessera" generate-images --output "$images"
fi

echo "== 3/9 train"
mkdir -p "$out"
"$tessera" train --config configs/dense_fashion_mnist.yaml --output "$out" --resume auto \
  "data.path=$images" "$@"

echo "== 4/9 evaluate"
"$tessera" eval --checkpoint "$out" --grid "$out/reconstructions.png" | tee "$out/eval.txt"

echo "== 5/9 tokens"
test_images=$(ls "$images"/t10k-images-idx3-ubyte* | head -n 1)
"$tessera" encode --checkpoint "$out" --input "$test_images" --output "$out/tokens.npy"
"$tessera" decode --checkpoint "$out" --tokens "$out/tokens.npy" --output "$out/decoded.npy"

named=$out/named
mkdir -p "$named"
echo "== 6/9 simulate a data set of named features"
[ -e "$named/data.h5" ] || "$tessera" simulate --samples 2000 --output "$named/data.h5"

echo "== 7/9 find categories, train a tokenizer of them"
"$tessera" discover --config configs/tokenizer_small.yaml --input "$named/data.h5" --output "$named/categories"
"$tessera" train --config configs/tokenizer_small.yaml --output "$named" --resume auto \
  "data.path=$named/data.h5"

echo "== 8/9 evaluate"
"$tessera" eval --checkpoint "$named" | tee "$named/eval.txt"
"$tessera" report --checkpoint "$named"

echo "== 9/9 tokens, one for each category and level"
"$tessera" encode --checkpoint "$named" --input "$named/data.h5" --output "$named/tokens.npy"
"$tessera" decode --checkpoint "$named" --tokens "$named/tokens.npy" --output "$named/decoded.npy"

cat <<END

Made in $((SECONDS - start)) s, in ${out#"$tessera_root/"}:
  best.safetensors      the trained model                 metrics.jsonl   the numbers of each epoch
  tokens.npy            one token per test image          decoded.npy     the images they stand for
  reconstructions.png   originals above reconstructions   eval.txt        what was measured
  named/                the same of named features; tokens.json and decoded.names.json name the columns,
                        categories/heat_map.svg shows what belongs together, report.html all of it
Try next:
  ${tessera#"$tessera_root/"} inspect --checkpoint ${out#"$tessera_root/"}
  ${tessera#"$tessera_root/"} train --config configs/dense_fashion_mnist.yaml --output runs/rotation quantizer.estimator=rotation
END
