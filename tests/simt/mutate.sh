#!/bin/bash
# Plants one fault at a time in cuda/ and says which tests of the emulator notice it.
# Needs g++, GoogleTest and Highway; no toolkit, no GPU. About a quarter of an hour on two cores.
cd "$(dirname "$0")/../.." || exit 1
build=$(mktemp -d); trap 'rm -rf $build' EXIT
flags="-std=c++20 -O1 -ffp-contract=off -Wno-unknown-pragmas -DTESSERA_WITH_CUDA -DTESSERA_SIMT"
flags="$flags -fsanitize=address,undefined -fno-sanitize-recover=undefined -x c++"
roots() { echo "-Iinclude -Isrc -I$1 -Itests -Itests/simt/include"; }
object() { echo "$build/$(echo "$1" | tr / _).o"; }
# Kernels and emulator only: tests of whole runs need the rest of the library.
sources=$(ls src/core/*.cpp src/cpu/*.cpp cuda/*.cpp cuda/*.cu tests/simt/*.cpp | grep -v training)
export -f object; export build flags
echo "$sources" | xargs -P "$(nproc)" -I{} bash -c "g++ $flags $(roots cuda) -c {} -o \$(object {})" || exit 1
link() { g++ -fsanitize=address,undefined "$@" -lhwy -lgtest -lgtest_main -lpthread -ldl -o "$build/tests"; }

try() {  # name, file in cuda/, sed program, sources to compile again
  local mutant=$build/cuda objects="" f
  rm -rf "$mutant"; cp -r cuda "$mutant"
  sed -i -E "$3" "$mutant/$2"
  cmp -s "cuda/$2" "$mutant/$2" && { echo "$1: the edit did not apply"; return; }
  for f in $sources; do case " $4 " in *" $(basename "$f") "*) ;; *) objects="$objects $(object "$f")";; esac; done
  for f in $4; do
    local source=$mutant/$f
    [ -e "$source" ] || source=tests/simt/$f
    # shellcheck disable=SC2046,SC2086
    g++ $flags $(roots "$mutant") -c "$source" -o "$mutant/$f.o" || { echo "$1: does not compile"; return; }
    objects="$objects $mutant/$f.o"
  done
  # shellcheck disable=SC2086
  link $objects || { echo "$1: does not link"; return; }
  for schedule in inorder reverse priority:1; do
    TESSERA_SIMT_SCHEDULE=$schedule timeout 100 "$build/tests" --gtest_brief=1 --gtest_filter="*/Cuda:Deferred*:ReduceTest*" > "$build/log" 2>&1 && continue
    local caught
    caught=$(grep -oE '^\[  FAILED  \] [A-Za-z0-9]+\.[A-Za-z0-9]+/[A-Za-z0-9]+' "$build/log" | sort -u | cut -c14- | head -2 | tr '\n' ' ')
    echo "$1: caught ($schedule) by ${caught:-$(grep -oE 'SUMMARY: .*|runtime error: .*' "$build/log" | head -1 | cut -c1-90)}"
    return
  done
  echo "$1: NOT caught"
}

barrier() { echo "s|^ *__syncthreads\(\);  // $1.*||"; }
try "control (must not be caught)" adam.cu 's/kValuesPerBlock = 4096/kValuesPerBlock = 2048/' adam.cu
try "assign: tiles reused too early" vq_assign.cu "$(barrier 'the tiles of the round before')" vq_assign.cu
try "assign: tiles read too early" vq_assign.cu "$(barrier 'both tiles are complete')" vq_assign.cu
try "assign: rows decided too early" vq_assign.cu "$(barrier "every row's state")" vq_assign.cu
try "assign: no slack for rounding" vq_assign.cu 's/4 \* slack \* 0x1p-24f/0.0f/' vq_assign.cu
try "assign: no room for underflow" vq_assign.cu 's/ \+ slack \* 0x1p-147f//' vq_assign.cu
try "assign: tie to the highest code" vq_assign.cu 's/other_code < best_code\)\)/other_code > best_code))/' vq_assign.cu
try "assign: second smallest lost" vq_assign.cu 's/second = min\(larger, min\(second, other_second\)\)/second = min(second, other_second)/' vq_assign.cu
try "assign: reads past the codebook" vq_assign.cu 's/v < count \&\& begin \+ d < dim/begin + d < dim/' vq_assign.cu
try "assign: padding codes compete" vq_assign.cu 's/if \(local \+ j < count\)//' vq_assign.cu
try "assign: bad rows not counted" vq_assign.cu 's/if \(!finite \&\& .*//' vq_assign.cu
try "block sum: partials read too early" reduce.cuh "$(barrier "every warp's sum is")" "adam.cu losses.cu vq_update.cu vq_reset.cu"
try "block sum: partials reused too early" reduce.cuh "0,/readers of an earlier/s|__syncthreads\(\);  // readers.*||" "adam.cu losses.cu vq_update.cu vq_reset.cu reduce_selftest.cpp"
try "column sum: partials read too early" reduce.cuh "$(barrier "every warp's sums are")" "elementwise.cu normalize.cu"
try "grid sum: counter not reset" reduce.cuh 's/.*\*scratch.finished = 0;//' "adam.cu losses.cu"
try "grid sum: decision read too early" reduce.cuh "$(barrier 'thread 0 has decided')" "adam.cu losses.cu"
try "code sums: codes read too early" vq_update.cu "$(barrier 'the codes are in place')" vq_update.cu
try "code sums: codes reused too early" vq_update.cu "$(barrier 'the codes of the round before')" vq_update.cu
try "code sums: columns past 128 lost" vq_update.cu 's/d0 - lane < passes/d0 - lane < 1/' vq_update.cu
try "running averages: half the counts" vq_update.cu 's/i \+= kThreads\) mine/i += kThreads * 2) mine/' vq_update.cu
try "reset: ties in any order" vq_reset.cu 's/ \&\& i < k\)/)/' vq_reset.cu
try "reset: between checks too" vq_reset.cu 's/return a.state->step % .*;/return true;/' vq_reset.cu
try "k-means: distances added too early" kmeans.cu "$(barrier "every row's distance")" kmeans.cu
try "k-means: row read too early" kmeans.cu "$(barrier 'the row is known')" kmeans.cu
try "matmul: transposes exchanged" matmul.cu 's/transpose_a = a.tb/transpose_a = a.ta/' matmul.cu
try "matmul: bias overwritten" matmul.cu 's/\.beta = starts \? 1 : a\.beta/.beta = a.beta/' matmul.cu
try "elements: last block one too far" launch.cuh 's/if \(i < count\) f\(i\)/if (i <= count) f(i)/' "elementwise.cu unary.cu"
try "dropout: draws shifted" elementwise.cu 's/random.word\[j\]/random.word[3 - j]/' elementwise.cu
try "adam: clips by the square" adam.cu 's/norm = sqrt\((.*)\);/norm = \1;/' adam.cu
try "batch norm: biased running variance" normalize.cu 's/total \/ \(rows > 1 \? rows - 1 : 1\)/total \/ rows/' normalize.cu
try "layer norm: reads a row too far" normalize.cu 's/if \(n >= a.x.rows\) return;/if (n > a.x.rows) return;/' normalize.cu
try "context: copies do not wait" cuda_context.cpp 's/.*cudaMemcpyDeviceToHost.*/&\n  return;/' cuda_context.cpp
try "k-means: return above a barrier" kmeans.cu 's|__syncthreads\(\);  // the row is known|if (threadIdx.x == 1) return; __syncthreads();  // the row is known|' kmeans.cu
try "losses: sign of the gradient" losses.cu 's|const real diff = a.p.data\[i\] - a.t.data\[i\];|const real diff = a.t.data[i] - a.p.data[i];|' losses.cu
