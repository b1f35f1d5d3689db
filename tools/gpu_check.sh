#!/usr/bin/env bash
# Everything there is to check on a machine with an NVIDIA GPU, within nine minutes:
#   tools/gpu_check.sh [OUT]      results go to OUT (default build-gpu/results)
# Builds for the GPU present, runs every shared test on the GPU and the CPU, compute-sanitizer on small
# shapes, captured against uncaptured steps, a dense training run with its quality, and the benches of
# kernels and steps beside PyTorch where python3 has it. Ends with one table and OUT/gpu_check.json. A stage
# that fails or runs out of its time is reported and the next one starts. Libraries may come from a folder made by
# tools/fetch_deps.sh: set TESSERA_PREFIX to it.

set -uo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${TESSERA_GPU_BUILD_DIR:-$root/build-gpu}
out=${1:-$build/results}
mkdir -p "$out" "$build"
out=$(cd "$out" && pwd)
prefix=${TESSERA_PREFIX:-}
[ -z "$prefix" ] || export LD_LIBRARY_PATH="$prefix/usr/lib/x86_64-linux-gnu:${LD_LIBRARY_PATH:-}"
export root build out prefix
names=() states=() seconds=() details=()

deadline=530  # seconds for all of it

stage() {  # NAME LIMIT_SECONDS COMMAND...; the last line of the output is the detail
  local name=$1 limit=$2 start=$SECONDS state=ok
  shift 2
  if [ $((start + 10)) -gt $deadline ]; then
    names+=("$name") states+=("not run") seconds+=(0) details+=("nothing is left of the $deadline s")
    return
  fi
  [ $((start + limit)) -le $deadline ] || limit=$((deadline - start))
  echo "== $name"
  timeout -k 5 "$limit" bash -c "set -o pipefail
$(declare -f "$1" 2>/dev/null)
\"\$@\"" stage "$@" >"$out/$name.log" 2>&1
  case $? in
    0) ;;
    77) state=skipped ;;
    124 | 137) state=timeout ;;
    *) state=FAILED ;;
  esac
  names+=("$name") states+=("$state") seconds+=($((SECONDS - start)))
  details+=("$(grep -v '^ *$' "$out/$name.log" | tail -n 1 | tr -d '"\\' | cut -c1-110)")
  [ "$state" = ok ] || [ "$state" = skipped ] || tail -n 15 "$out/$name.log"
}

configure_and_build() {
  cmake -S "$root" -B "$build" -DTESSERA_CUDA=ON -DTESSERA_TESTS=ON -DTESSERA_SIMT=OFF \
    -DTESSERA_GPU_TESTS=ON -DTESSERA_BENCH=ON ${prefix:+-DCMAKE_PREFIX_PATH="$prefix/usr"} \
    "$(command -v ninja >/dev/null && echo -GNinja || echo -GUnix\ Makefiles)" &&
    cmake --build "$build" -j "$(nproc)" --target tessera_cli tessera_gpu_tests tessera_bench &&
    echo "built for $(grep -oP 'CMAKE_CUDA_ARCHITECTURES:\w+=\K.*' "$build/CMakeCache.txt")"
}

sanitize() {  # TOOL
  command -v compute-sanitizer >/dev/null || { echo "no compute-sanitizer here"; return 77; }
  compute-sanitizer --tool "$1" --error-exitcode 9 "$build/tests/tessera_gpu_tests" --gtest_brief=1 \
    --gtest_filter='*/Cuda*:-*Large*:*Random*' | awk 'NF' | tail -n 5
}

dense_run() {  # DEVICE
  local images=/usr/share/datasets/fashion-mnist
  [ -e $images ] || images=$prefix/usr/share/datasets/fashion-mnist
  [ -e "$images" ] || { "$build/tessera" generate-images --output "$out/images" && images=$out/images; }
  "$build/tessera" train --config "$root/configs/dense_fashion_mnist.yaml" --device "$1" --overwrite \
    --output "$out/run_$1" "data.path=$images" &&
    "$build/tessera" eval --device "$1" --checkpoint "$out/run_$1" | grep -E 'codes in use|against'
}

# A tokenizer of named features trained on the CPU: which tokens a GPU finds for the same rows.
tokens_agree() {
  local device
  "$build/tessera" simulate --samples 500 --output "$out/sim.h5" --quiet &&
    "$build/tessera" train --config "$root/configs/tokenizer_small.yaml" --input "$out/sim.h5" --device cpu \
      --output "$out/run_tokens" --overwrite --quiet training.num_epochs=20 || return 1
  for device in cpu cuda; do
    "$build/tessera" encode --device $device --checkpoint "$out/run_tokens" --input "$out/sim.h5" \
      --output "$out/tokens_$device.npy" || return 1
  done
  local all other
  all=$(stat -c %s "$out/tokens_cpu.npy")
  other=$(cmp -l "$out/tokens_cpu.npy" "$out/tokens_cuda.npy" | wc -l)
  awk -v n=$((all - 128)) -v d="$other" 'BEGIN { printf "%d of %d tokens are those of the CPU: %.4f%%\n", n - d, n, 100 * (n - d) / n }'
}

to_json() {
  local i
  printf '{\n "gpu": "%s",\n "driver": "%s",\n "date": "%s",\n "stages": [\n' "$gpu" "$driver" "$(date -u +%F)"
  for i in "${!names[@]}"; do
    printf '  {"name": "%s", "state": "%s", "seconds": %s, "detail": "%s"}%s\n' "${names[$i]}" \
      "${states[$i]}" "${seconds[$i]}" "${details[$i]}" "$([ $((i + 1)) -lt ${#names[@]} ] && echo ,)"
  done
  printf ' ]\n}\n'
}

gpu=$(nvidia-smi --query-gpu=name --format=csv,noheader 2>/dev/null | head -n 1)
driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -n 1)
if [ -z "$gpu" ]; then
  echo "gpu_check.sh: nvidia-smi shows no GPU on this machine; there is nothing to check" >&2
  exit 69
fi
echo "GPU: $gpu, driver $driver"
stage build 150 configure_and_build
stage devices 10 "$build/tessera" devices
# What shuffles, votes and sums give here goes to warp_vectors.json, for tests/golden.
stage contracts 45 env TESSERA_RECORD="$out" "$build/tests/tessera_gpu_tests" --gtest_brief=1
stage train_gpu 40 dense_run cuda
stage tokens 40 tokens_agree
stage memcheck 40 sanitize memcheck
stage racecheck 40 sanitize racecheck
stage synccheck 25 sanitize synccheck
stage initcheck 30 sanitize initcheck
bench=$build/bench/tessera_bench
peers=$root/bench/peers
stage bench_gpu 90 "$bench" --threads 1 --seconds 0.1 --filter _cuda/ --json "$out/bench_gpu.json"
on_gpu=(--device cuda --program "$bench")
stage torch_dense_gpu 30 python3 "$peers/torch_dense.py" "${on_gpu[@]}" --turns 3 --json "$out/torch_dense_gpu.json"
stage torch_kernels 60 python3 "$peers/torch_kernels.py" "${on_gpu[@]}" --turns 1 --seconds 0.1 --json "$out/torch_kernels.json"
stage torch_tokenizer 40 python3 "$peers/torch_tokenizer.py" "${on_gpu[@]}" --turns 1 --seconds 1 --json "$out/torch_tokenizer.json"
stage torch_encoders 40 python3 "$peers/torch_encoder_step.py" "${on_gpu[@]}" --turns 1 --seconds 1 --trial 0.2 \
  --json "$out/torch_encoder_step.json"
stage torch_conv 60 python3 "$peers/torch_conv.py" "${on_gpu[@]}" --turns 1 --seconds 0.05 --json "$out/torch_conv.json"
stage torch_dense 30 python3 "$peers/torch_dense.py" --program "$bench" --turns 1 --json "$out/torch_dense.json"

to_json >"$out/gpu_check.json"
printf '\n%-14s %-8s %5s  %s\n' stage state s detail
for i in "${!names[@]}"; do
  printf '%-14s %-8s %5s  %s\n' "${names[$i]}" "${states[$i]}" "${seconds[$i]}" "${details[$i]}"
done
echo "Written: $out/gpu_check.json, a log per stage beside it"
case " ${states[*]} " in *FAILED* | *timeout* | *"not run"*) exit 1 ;; esac
