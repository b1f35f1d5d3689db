// Kernels with an access that is wrong by itself, or an operation that not all threads reach.

#include "planted_bug.h"

namespace simt::planted {
namespace {

constexpr unsigned kFull = 0xffffffffu;

int thread() { return static_cast<int>(threadIdx.x); }

}  // namespace

// What is read past the end goes into a tile and is not used.
bool read_past_the_end(bool bug) {
  constexpr int kCount = 100, kTile = 64;
  const Global<int> x(counting<int>(kCount)), total({0});
  run({1, kTile}, [bug, x = x.data(), total = total.data()] {
    TESSERA_SHARED_ARRAY(int, tile, [kTile]);
    int sum = 0;
    for (int begin = 0; begin < kCount; begin += kTile) {
      tile[thread()] = bug || begin + thread() < kCount ? x[begin + thread()] : 0;
      __syncthreads();
      for (int i = 0; i < kTile && begin + i < kCount; ++i) sum += tile[i];
      __syncthreads();
    }
    if (thread() == 0) total[0] = sum;
  });
  return total == std::vector<int>{kCount * (kCount - 1) / 2};
}

bool store_past_the_end(bool bug) {
  constexpr int kCount = 100;
  const Global<int> y(zeros<int>(kCount));
  run({1, 128}, [bug, y = y.data()] {
    if (thread() < kCount + bug) y[thread()] = 7;
  });
  return y == std::vector<int>(kCount, 7);
}

bool shared_index_too_high(bool bug) {
  const Global<int> y(zeros<int>(64));
  run({1, 64}, [bug, y = y.data()] {
    TESSERA_SHARED_ARRAY(int, tile, [64]);
    tile[thread() + bug] = thread();
    __syncthreads();
    y[thread()] = tile[thread()];
  });
  return y == counting<int>(64);
}

// A warp for each row; the first column of the next row is still inside the array.
bool column_too_high(bool bug) {
  constexpr int kRows = 8;
  const Global<int> y(zeros<int>(kRows * 32));
  run({1, kRows * 32}, [bug, y = y.data()] {
    TESSERA_SHARED_ARRAY(int, tile, [kRows][32]);
    const int row = kRows - 1 - thread() / 32;
    const int column = thread() % 32;
    tile[row][column] = row * 100 + column;
    if (bug && column == 31) tile[row][column + 1] = 0;
    __syncthreads();
    y[row * 32 + column] = tile[row][column];
  });
  std::vector<int> expected(kRows * 32);
  for (int i = 0; i < kRows * 32; ++i) expected[i] = i / 32 * 100 + i % 32;
  return y == expected;
}

// All values are equal, so that only the address is wrong; a GPU stops with an error.
bool misaligned_vector(bool bug) {
  const Global<float> x(std::vector<float>(32 * 4 + 4, 1)), y(zeros<float>(32));
  run({1, 32}, [bug, x = x.data(), y = y.data()] {
    const float4& v = *reinterpret_cast<const float4*>(x + 4 * thread() + bug);
    y[thread()] = v.x + v.y + v.z + v.w;
  });
  return y == std::vector<float>(32, 4);
}

bool halo_not_loaded(bool bug) {
  const Global<float> y(zeros<float>(64));
  run({1, 64}, [bug, y = y.data()] {
    TESSERA_SHARED_ARRAY(float, tile, [64 + 1]);
    tile[thread()] = 1;
    if (!bug && thread() == 0) tile[64] = 1;
    __syncthreads();
    y[thread()] = tile[thread()] + tile[thread() + 1];
  });
  return y == std::vector<float>(64, 2);
}

// Not all processors make the same number of what does not fit.
bool cast_out_of_range(bool bug) {
  const Global<float> x({bug ? 3e9f : 3e8f});
  const Global<int> y({0});
  run({1, 32}, [x = x.data(), y = y.data()] {
    if (thread() == 0) y[0] = static_cast<int>(x[0]) != 0;
  });
  return y == std::vector<int>{1};
}

bool ballot_in_a_branch(bool bug) {
  unsigned votes = 0;
  run({1, 32}, [&] {
    if (!bug || thread() < 20) {
      const unsigned all = __ballot_sync(kFull, 1);
      if (thread() == 0) votes = all;
    }
  });
  return votes == kFull;
}

bool return_above_a_barrier(bool bug) {
  unsigned votes = 0;
  run({1, 64}, [&] {
    if (bug && thread() >= 50) return;
    const unsigned all = __ballot_sync(kFull, 1);
    __syncthreads();
    if (thread() == 0) votes = all;
  });
  return votes == kFull;
}

// Two barriers that a GPU may take for one.
bool barriers_on_one_line(bool bug) {
  run({1, 64}, [bug] {
    // clang-format off
    if (bug && thread() < 40) { __syncthreads(); } else { __syncthreads(); }
    // clang-format on
  });
  return true;
}

bool barriers_on_two_lines(bool bug) {
  run({1, 64}, [bug] {
    if (bug && thread() < 40)
      __syncthreads();
    else
      __syncthreads();
  });
  return true;
}

bool barrier_in_a_branch(bool bug) {
  run({1, 64}, [bug] {
    if (!bug || thread() < 40) __syncthreads();
  });
  return true;
}

bool shuffle_outside_the_mask(bool bug) {
  int sum = 0;
  run({1, 32}, [&] {
    if (thread() >= 16) return;
    int value = 1;
    for (int offset = bug ? 16 : 8; offset > 0; offset /= 2)
      value += __shfl_xor_sync(0xffffu, value, offset);
    if (thread() == 0) sum = value;
  });
  return sum == 16;
}

}  // namespace simt::planted
