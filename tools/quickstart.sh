#!/usr/bin/env bash
# From nothing to a trained tokenizer: installs what is missing, builds the program, trains the dense
# VQ-VAE on Fashion-MNIST, evaluates it, turns the test images into tokens and back, draws a picture.
#   tools/quickstart.sh [key.path=value ...]     overrides go to the training
# Exits 69 where packages are missing and neither root nor sudo is at hand.

source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
start=$SECONDS
cd "$tessera_root"
out=${TESSERA_QUICKSTART_DIR:-$tessera_root/runs/quickstart}

echo "== 1/5 packages"
tessera_packages "${tessera_build_packages[@]}"
images=${TESSERA_PREFIX:-}/usr/share/datasets/fashion-mnist
if [ ! -e "$images" ] && [ -z "${TESSERA_PREFIX:-}" ] && ! tessera_install dataset-fashion-mnist 2>/dev/null; then
  echo "Fashion-MNIST (Debian package dataset-fashion-mnist) cannot be had here: using generated images."
fi

echo "== 2/5 build"
tessera_configure -DTESSERA_TESTS=OFF -DTESSERA_BENCH=OFF
tessera_compile tessera_cli
tessera=$tessera_build/tessera
if [ ! -e "$images" ]; then
  images=$out/generated-images
  "$tessera" generate-images --output "$images"
fi

echo "== 3/5 train"
mkdir -p "$out"
"$tessera" train --config configs/dense_fashion_mnist.yaml --output "$out" --resume auto \
  "data.path=$images" "$@"

echo "== 4/5 evaluate"
"$tessera" eval --checkpoint "$out" --grid "$out/reconstructions.png" | tee "$out/eval.txt"

echo "== 5/5 tokens"
test_images=$(ls "$images"/t10k-images-idx3-ubyte* | head -n 1)
"$tessera" encode --checkpoint "$out" --input "$test_images" --output "$out/tokens.npy"
"$tessera" decode --checkpoint "$out" --tokens "$out/tokens.npy" --output "$out/decoded.npy"

cat <<END

Made in $((SECONDS - start)) s, in ${out#"$tessera_root/"}:
  best.safetensors      the trained model                 metrics.jsonl   the numbers of each epoch
  tokens.npy            one token per test image          decoded.npy     the images they stand for
  reconstructions.png   originals above reconstructions   eval.txt        what was measured
Try next:
  ${tessera#"$tessera_root/"} inspect --checkpoint ${out#"$tessera_root/"}
  ${tessera#"$tessera_root/"} train --config configs/dense_fashion_mnist.yaml --output runs/rotation quantizer.estimator=rotation
END
