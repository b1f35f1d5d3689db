// Kernels whose threads exchange values; each lacks something that orders them.

#include "planted_bug.h"

namespace simt::planted {
namespace {

constexpr unsigned kFull = 0xffffffffu;
constexpr int kThreads = 256, kWarps = kThreads / 32;

int thread() { return static_cast<int>(threadIdx.x); }
int block() { return static_cast<int>(blockIdx.x); }

}  // namespace

// A sum over the block in two stages.
bool partials_read_early(bool bug) {
  const Global<int> x(counting<int>(kThreads)), sums(zeros<int>(kThreads));
  run({1, kThreads}, [bug, x = x.data(), sums = sums.data()] {
    TESSERA_SHARED_ARRAY(int, partial, [kWarps]);
    int sum = x[thread()];
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(kFull, sum, offset);
    if (thread() % 32 == 0) partial[thread() / 32] = sum;
    if (!bug) __syncthreads();
    int total = 0;
    for (int warp = 0; warp < kWarps; ++warp) total += partial[warp];
    sums[thread()] = total;
  });
  return sums == std::vector<int>(kThreads, kThreads * (kThreads - 1) / 2);
}

// The control: the second barrier separates nothing, as each thread goes on with its own value.
bool redundant_barrier(bool bug) {
  const Global<int> y(zeros<int>(kThreads));
  run({1, kThreads}, [bug, y = y.data()] {
    TESSERA_SHARED_ARRAY(int, tile, [kThreads]);
    tile[thread()] = thread();
    __syncthreads();
    const int mirrored = tile[kThreads - 1 - thread()];
    if (!bug) __syncthreads();
    y[thread()] = mirrored;
  });
  std::vector<int> expected = counting<int>(kThreads);
  std::reverse(expected.begin(), expected.end());
  return y == expected;
}

// The block that finishes last adds the results of all.
bool no_fence_before_count(bool bug) {
  constexpr int kBlocks = 8;
  const Global<int> partials(zeros<int>(kBlocks)), total({0});
  const Global<unsigned> finished({0});
  run({kBlocks, 32},
      [bug, partials = partials.data(), total = total.data(), finished = finished.data()] {
        TESSERA_SHARED_ARRAY(int, is_last, [1]);
        if (threadIdx.x == 0) {
          partials[block()] = block() + 1;
          if (!bug) __threadfence();
          is_last[0] = atomicAdd(finished, 1u) == gridDim.x - 1;
        }
        __syncthreads();
        if (!is_last[0] || threadIdx.x != 0) return;
        for (int i = 0; i < kBlocks; ++i) total[0] += partials[i];
      });
  return total == std::vector<int>{kBlocks * (kBlocks + 1) / 2};
}

// Two stages: one is filled while the other is read; a barrier ends each round.
bool stage_reused_early(bool bug) {
  constexpr int kRounds = 4;
  const Global<int> x(counting<int>(kRounds * kThreads)), y(zeros<int>(kThreads));
  run({1, kThreads}, [bug, x = x.data(), y = y.data()] {
    TESSERA_SHARED_ARRAY(int, stage, [2][kThreads]);
    stage[0][thread()] = x[thread()];
    __syncthreads();
    int sum = 0;
    for (int k = 0; k < kRounds; ++k) {
      if (k + 1 < kRounds) stage[(k + 1) % 2][thread()] = x[(k + 1) * kThreads + thread()];
      sum += stage[k % 2][kThreads - 1 - thread()];
      if (!bug) __syncthreads();
    }
    y[thread()] = sum;
  });
  std::vector<int> expected(kThreads);
  for (int t = 0; t < kThreads; ++t)
    for (int k = 0; k < kRounds; ++k) expected[t] += k * kThreads + kThreads - 1 - t;
  return y == expected;
}

namespace {
// Each round loads a tile that all threads read. `bug` 1: no barrier after the load; 2: none at the
// end of a round.
bool tiles(int bug) {
  constexpr int kRounds = 3;
  const Global<int> x(counting<int>(kRounds * kThreads)), y(zeros<int>(kThreads));
  run({1, kThreads}, [bug, x = x.data(), y = y.data()] {
    TESSERA_SHARED_ARRAY(int, tile, [kThreads]);
    int sum = 0;
    for (int k = 0; k < kRounds; ++k) {
      tile[thread()] = x[k * kThreads + thread()];
      if (bug != 1) __syncthreads();
      sum += tile[(thread() + 100) % kThreads];
      if (bug != 2) __syncthreads();
    }
    y[thread()] = sum;
  });
  std::vector<int> expected(kThreads);
  for (int t = 0; t < kThreads; ++t)
    for (int k = 0; k < kRounds; ++k) expected[t] += k * kThreads + (t + 100) % kThreads;
  return y == expected;
}
}  // namespace
bool tile_read_early(bool bug) { return tiles(bug ? 1 : 0); }
bool tile_reused_early(bool bug) { return tiles(bug ? 2 : 0); }

// In order of threads, each bin is zeroed before anything is added to it: lane i adds to bin i - 1.
bool histogram_zeroed_late(bool bug) {
  const Global<int> counts(zeros<int>(32));
  run({1, kThreads}, [bug, counts = counts.data()] {
    TESSERA_SHARED_ARRAY(int, bins, [32]);
    if (thread() < 32) bins[thread()] = 0;
    if (!bug) __syncthreads();
    atomicAdd(&bins[std::max(thread() % 32 - 1, 0)], 1);
    __syncthreads();
    if (thread() < 32) counts[thread()] = bins[thread()];
  });
  std::vector<int> expected(32, kWarps);
  expected[0] = 2 * kWarps;
  expected[31] = 0;
  return counts == expected;
}

// No thread is interrupted between its read and its write here, so the numbers stay right.
bool sum_not_atomic(bool bug) {
  constexpr int kBlocks = 4;
  const Global<int> sums(zeros<int>(8));
  run({kBlocks, 64}, [bug, sums = sums.data()] {
    int& sum = sums[thread() % 8];
    if (bug)
      sum += 1;
    else
      atomicAdd(&sum, 1);
  });
  return sums == std::vector<int>(8, kBlocks * 64 / 8);
}

// The first step of a softmax.
bool maximum_read_early(bool bug) {
  const Global<float> x(counting<float>(kThreads)), y(zeros<float>(kThreads));
  run({1, kThreads}, [bug, x = x.data(), y = y.data()] {
    TESSERA_SHARED_ARRAY(float, maximum, [1]);
    if (thread() == kThreads - 1) {
      maximum[0] = x[0];
      for (int i = 1; i < kThreads; ++i) maximum[0] = max(maximum[0], x[i]);
    }
    if (!bug) __syncthreads();
    y[thread()] = x[thread()] - maximum[0];
  });
  std::vector<float> expected = counting<float>(kThreads);
  for (float& value : expected) value -= kThreads - 1;
  return y == expected;
}

// A 32 x 32 transpose by one warp: rows in, columns out.
bool exchange_without_syncwarp(bool bug) {
  const Global<int> x(counting<int>(1024)), y(zeros<int>(1024));
  run({1, 32}, [bug, x = x.data(), y = y.data()] {
    TESSERA_SHARED_ARRAY(int, tile, [32][33]);
    for (int i = 0; i < 32; ++i) tile[thread()][i] = x[thread() * 32 + i];
    if (!bug) __syncwarp();
    for (int i = 0; i < 32; ++i) y[thread() * 32 + i] = tile[i][thread()];
  });
  std::vector<int> expected(1024);
  for (int i = 0; i < 1024; ++i) expected[i] = i % 32 * 32 + i / 32;
  return y == expected;
}

bool counter_zeroed_late(bool bug) {
  const Global<int> count({0});
  run({1, kThreads}, [bug, count = count.data()] {
    TESSERA_SHARED_ARRAY(int, counter, [1]);
    if (thread() == 0) counter[0] = 0;
    if (!bug) __syncthreads();
    atomicAdd(&counter[0], 1);
    __syncthreads();
    if (thread() == 0) count[0] = counter[0];
  });
  return count == std::vector<int>{kThreads};
}

// The plain read decides nothing: a counter is never negative.
bool counter_read_plainly(bool bug) {
  const Global<int> y(zeros<int>(kThreads));
  run({1, kThreads}, [bug, y = y.data()] {
    TESSERA_SHARED_ARRAY(int, counter, [1]);
    if (thread() == 0) counter[0] = 0;
    __syncthreads();
    atomicAdd(&counter[0], 1);
    if (!bug) __syncthreads();
    y[thread()] = counter[0] < 0;
  });
  return y == std::vector<int>(kThreads);
}

// Each block reads one value of the block before it and writes its own in place.
bool stencil_in_place(bool bug) {
  constexpr int kBlocks = 6, kCount = kBlocks * 32;
  const Global<int> x(counting<int>(kCount)), y(zeros<int>(kCount));
  run({kBlocks, 32}, [x = x.data(), out = bug ? x.data() : y.data()] {
    const int i = block() * 32 + thread();
    const int sum = (i > 0 ? x[i - 1] : 0) + x[i] + (i + 1 < kCount ? x[i + 1] : 0);
    __syncthreads();
    out[i] = sum;
  });
  std::vector<int> expected(kCount);
  for (int i = 0; i < kCount; ++i) expected[i] = i == 0 ? 1 : i + 1 < kCount ? 3 * i : 2 * i - 1;
  return (bug ? x : y) == expected;
}

}  // namespace simt::planted
