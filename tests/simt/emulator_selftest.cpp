// The emulator finds the mistakes it is there for: each test runs a kernel with one planted.

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <vector>

#include "simt/sanitizer.h"

namespace simt {
namespace {

constexpr unsigned kFull = 0xffffffffu;

const std::vector<Schedule> kSchedules = {
    {Schedule::Order::InOrder},     {Schedule::Order::Reverse},     {Schedule::Order::Warp},
    {Schedule::Order::Priority, 1}, {Schedule::Order::Priority, 2}, {Schedule::Order::Priority, 3},
    {Schedule::Order::Priority, 4}};

/// The message of the Error that running `thread` gives, empty for none.
std::string error_of(unsigned threads, const std::function<void()>& thread) {
  try {
    run({1, threads}, thread);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}
bool has(const std::string& text, const char* part) { return text.find(part) != text.npos; }

class EmulatorTest : public ::testing::Test {
 protected:
  void TearDown() override { set_schedule(before_); }
  Schedule before_ = schedule();

  /// Under how many of the schedules `thread` leaves `expected` in `result`.
  template <class T>
  int right_schedules(unsigned threads, T& result, T expected,
                      const std::function<void()>& thread) {
    int right = 0;
    for (const Schedule& order : kSchedules) {
      set_schedule(order);
      result = {};
      run({1, threads}, thread);
      right += result == expected;
    }
    return right;
  }
};

// The sum of thread numbers over a block by halves; `bug` leaves out one barrier.
void tree_sum(int bug, int& result) {
  TESSERA_SHARED_ARRAY(int, partial, [256]);
  partial[threadIdx.x] = static_cast<int>(threadIdx.x);
  if (bug != 1) __syncthreads();
  for (unsigned half = 128; half > 0; half /= 2) {
    if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
    if (bug != 2) __syncthreads();
  }
  if (threadIdx.x == 0) result = partial[0];
}

TEST_F(EmulatorTest, CorrectBarriersAreRightUnderEverySchedule) {
  int result;
  EXPECT_EQ(right_schedules(256, result, 255 * 128, [&] { tree_sum(0, result); }),
            static_cast<int>(kSchedules.size()));
}

TEST_F(EmulatorTest, MissingBarriersGiveWrongNumbers) {
  int result;
  for (const int bug : {1, 2})
    EXPECT_LT(right_schedules(256, result, 255 * 128, [&] { tree_sum(bug, result); }), 4) << bug;
}

// In order, thread 0 zeroes before anybody adds; priorities find the other orders.
TEST_F(EmulatorTest, ZeroingWithoutBarrierIsFoundByPriorities) {
  int result;
  const auto thread = [&] {
    TESSERA_SHARED_ARRAY(int, sum, [1]);
    if (threadIdx.x == 0) sum[0] = 0;
    atomicAdd(&sum[0], 1);
    __syncthreads();
    if (threadIdx.x == 0) result = sum[0];
  };
  set_schedule({Schedule::Order::InOrder});
  run({1, 128}, thread);
  EXPECT_EQ(result, 128);
  EXPECT_LT(right_schedules(128, result, 128, thread), 6);
}

TEST_F(EmulatorTest, ExchangeInsideAWarpNeedsSyncwarp) {
  int result;
  const auto thread = [&](bool syncs) {
    TESSERA_SHARED_ARRAY(int, slot, [32]);
    slot[threadIdx.x] = static_cast<int>(threadIdx.x);
    if (syncs) __syncwarp();
    const int other = slot[threadIdx.x ^ 1];
    const unsigned good = __ballot_sync(kFull, other == static_cast<int>(threadIdx.x ^ 1));
    if (threadIdx.x == 0) result = __popc(good);
  };
  EXPECT_EQ(right_schedules(32, result, 32, [&] { thread(true); }), 7);
  EXPECT_EQ(right_schedules(32, result, 32, [&] { thread(false); }), 0);
}

TEST_F(EmulatorTest, UninitialisedSharedMemoryIsNotANumber) {
  float value = 0;
  run({1, 1}, [&] {
    TESSERA_SHARED_ARRAY(float, tile, [4]);
    value = tile[2];
  });
  EXPECT_NE(value, value);
}

TEST_F(EmulatorTest, BarriersAtDifferentPlacesAreReported) {
  const std::string text = error_of(64, [] {
    if (threadIdx.x < 40) {
      __syncthreads();
    } else {
      __syncthreads();
    }
  });
  EXPECT_TRUE(has(text, "divergent barrier: this thread is at emulator_selftest.cpp:")) << text;
}

TEST_F(EmulatorTest, BarriersOnOneLineAreToldApart) {
  // clang-format off
  const auto thread = [] { if (threadIdx.x < 40) { __syncthreads(); } else { __syncthreads(); } };
  // clang-format on
  EXPECT_TRUE(has(error_of(64, thread), "divergent barrier"));
}

TEST_F(EmulatorTest, BarrierThatSomeDoNotReachIsReported) {
  const std::string text = error_of(64, [] {
    if (threadIdx.x < 40) __syncthreads();
  });
  EXPECT_TRUE(has(text, "40 of 64 threads wait at __syncthreads")) << text;
}

TEST_F(EmulatorTest, WarpOperationAfterAnEarlyReturnIsReported) {
  const std::string text = error_of(32, [] {
    if (threadIdx.x == 5) return;
    __ballot_sync(kFull, 1);
  });
  EXPECT_TRUE(has(text, "waits for lanes 0x00000020 of warp 0; lane 5 has returned")) << text;
}

TEST_F(EmulatorTest, WarpOperationsThatMixAreReported) {
  const std::string text = error_of(32, [] {
    if (threadIdx.x < 16)
      __shfl_xor_sync(kFull, 1, 1);
    else
      __shfl_xor_sync(kFull, 1, 2);
  });
  EXPECT_TRUE(has(text, "a lane of it waits in __shfl_xor_sync")) << text;
}

TEST_F(EmulatorTest, LaneAtABarrierInsteadOfAWarpOperationIsReported) {
  const std::string text = error_of(32, [] {
    if (threadIdx.x == 7)
      __syncthreads();
    else
      __syncwarp();
  });
  EXPECT_TRUE(has(text, "lane 7 waits at __syncthreads")) << text;
}

TEST_F(EmulatorTest, ShuffleFromALaneOutsideTheMaskIsReported) {
  const std::string text = error_of(32, [] {
    if (threadIdx.x < 16) __shfl_xor_sync(0xffffu, 1, 16);
  });
  EXPECT_TRUE(has(text, "reads lane 16, which is not in the mask")) << text;
}

TEST_F(EmulatorTest, CallerOutsideTheMaskIsReported) {
  EXPECT_TRUE(has(error_of(32, [] { __syncwarp(1); }), "by a lane outside the mask"));
}

TEST_F(EmulatorTest, TooMuchSharedMemoryIsReported) {
  const std::string text = error_of(1, [] {
    TESSERA_SHARED_ARRAY(float, tile, [100][128]);
    tile[0][0] = 1;
  });
  EXPECT_TRUE(has(text, "51200 bytes of static shared memory; a block has 49152")) << text;
}

TEST_F(EmulatorTest, WorksAgainAfterAnError) {
  EXPECT_NE(error_of(64,
                     [] {
                       if (threadIdx.x < 40) __syncthreads();
                     }),
            "");
  int result = 0;
  run({3, 256}, [&] { tree_sum(0, result); });
  EXPECT_EQ(result, 255 * 128);
}

TEST_F(EmulatorTest, ShufflesAndVotesFollowTheirDefinitions) {
  std::vector<int> up(32), by_xor(32), from(32), down(32);
  unsigned votes = 0;
  run({1, 32}, [&] {
    const int lane = static_cast<int>(threadIdx.x);
    by_xor[lane] = __shfl_xor_sync(kFull, lane, 5);
    from[lane] = __shfl_sync(kFull, lane, lane / 4);
    down[lane] = __shfl_down_sync(kFull, lane, 3);
    votes = __ballot_sync(kFull, lane % 3 == 0);
  });
  for (int lane = 0; lane < 32; ++lane) {
    EXPECT_EQ(by_xor[lane], lane ^ 5);
    EXPECT_EQ(from[lane], lane / 4);
    EXPECT_EQ(down[lane], lane + 3 < 32 ? lane + 3 : lane);
    EXPECT_EQ(votes >> lane & 1, lane % 3 == 0 ? 1u : 0u);
  }
}

TEST_F(EmulatorTest, ShufflesCarryDoublesAndHalfWarps) {
  double sum = 0;
  run({1, 32}, [&] {
    if (threadIdx.x >= 16) return;
    double value = 0.1 * threadIdx.x;
    for (int offset = 8; offset > 0; offset /= 2) value += __shfl_xor_sync(0xffffu, value, offset);
    if (threadIdx.x == 0) sum = value;
  });
  EXPECT_NEAR(sum, 12.0, 1e-12);
}

#ifdef __SANITIZE_ADDRESS__
using EmulatorDeathTest = EmulatorTest;

TEST_F(EmulatorDeathTest, SharedArrayOverrunIsReported) {
  const auto thread = [] {
    TESSERA_SHARED_ARRAY(float, tile, [32]);
    float* flat = tile;
    flat[threadIdx.x + 1] = 1;
  };
  EXPECT_DEATH(run({1, 32}, thread), "AddressSanitizer: use-after-poison");
}

TEST_F(EmulatorDeathTest, GlobalOverrunIsReported) {
  void* data = nullptr;
  ASSERT_EQ(cudaMalloc(&data, 31 * sizeof(float)), cudaSuccess);
  const auto thread = [data] { static_cast<float*>(data)[threadIdx.x] = 1; };
  EXPECT_DEATH(run({1, 32}, thread), "AddressSanitizer: heap-buffer-overflow");
  (void)cudaFree(data);
}
#endif

}  // namespace
}  // namespace simt
