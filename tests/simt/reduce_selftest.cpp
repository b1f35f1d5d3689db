// The sums of reduce.cuh, called the way kernels may call them later: one directly after another,
// with threads that hurry ahead.

#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <vector>

#include "reduce.cuh"

namespace tessera::cuda {
namespace {

using simt::Schedule;
using Order = Schedule::Order;

class ReduceTest : public ::testing::TestWithParam<Schedule> {
 protected:
  void SetUp() override { simt::set_schedule(GetParam()); }
  void TearDown() override { simt::set_schedule(before_); }
  Schedule before_ = simt::schedule();
};
INSTANTIATE_TEST_SUITE_P(, ReduceTest,
                         ::testing::Values(Schedule{Order::InOrder}, Schedule{Order::Reverse},
                                           Schedule{Order::Warp}, Schedule{Order::Priority, 1},
                                           Schedule{Order::Priority, 2},
                                           Schedule{Order::Priority, 3}));

TEST_P(ReduceTest, BlockSumsFollowOneAnother) {
  constexpr int kThreads = 128, kCalls = 4;
  std::vector<double> sums(kThreads * kCalls);
  simt::run({1, kThreads}, [&] {
    for (int call = 0; call < kCalls; ++call)
      sums[threadIdx.x * kCalls + call] = block_sum<kThreads>(call + threadIdx.x);
  });
  for (int i = 0; i < kThreads * kCalls; ++i)
    ASSERT_EQ(sums[i], i % kCalls * kThreads + kThreads * (kThreads - 1) / 2) << i;
}

TEST_P(ReduceTest, ColumnSumsFollowOneAnother) {
  constexpr int kCalls = 3;
  std::vector<double> sums(ColumnBlock::kThreads * kCalls);
  simt::run({1, ColumnBlock::kThreads}, [&] {
    for (int call = 0; call < kCalls; ++call)
      sums[threadIdx.x * kCalls + call] =
          ColumnBlock::sum(static_cast<double>(call + ColumnBlock::column()));
  });
  for (int i = 0; i < ColumnBlock::kThreads * kCalls; ++i)
    ASSERT_EQ(sums[i], ColumnBlock::kRowLanes * (i % kCalls + i / kCalls % ColumnBlock::kColumns));
}

TEST_P(ReduceTest, GridSumIsSeenByOneBlockAndLeavesItsCounterAtZero) {
  constexpr int kThreads = 64, kBlocks = 9;
  std::vector<double> partials(GridScratch::kBlocks);
  unsigned finished = 0;
  for (int round = 0; round < 2; ++round) {
    double total = 0;
    int seen = 0;
    simt::run({kBlocks, kThreads}, [&] {
      double sum = 0;
      if (grid_sum<kThreads>({partials.data(), &finished}, 1.0 + round, sum) && threadIdx.x == 0) {
        total = sum;
        ++seen;
      }
    });
    EXPECT_EQ(total, kBlocks * kThreads * (1.0 + round));
    EXPECT_EQ(seen, 1);
    EXPECT_EQ(finished, 0u);
  }
}

}  // namespace
}  // namespace tessera::cuda
