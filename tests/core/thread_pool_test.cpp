#include "cpu/thread_pool.h"

#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>

#include "tessera/device.h"
#include "testing/backends.h"
#include "testing/determinism.h"

namespace tessera {
namespace {

class ThreadPoolTest : public ::testing::TestWithParam<int> {
 protected:
  ThreadPool pool_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(, ThreadPoolTest, ::testing::Values(1, 2, 5),
                         [](const auto& info) { return std::to_string(info.param) + "Threads"; });

TEST_P(ThreadPoolTest, RunsEveryChunkOnce) {
  for (const int64_t chunks : {0, 1, 2, 3, 1000}) {
    std::vector<std::atomic<int>> runs(static_cast<size_t>(chunks));
    pool_.run(chunks, [&](int64_t i) { ++runs[static_cast<size_t>(i)]; });
    for (const auto& count : runs) ASSERT_EQ(count, 1) << chunks << " chunks";
  }
}

TEST_P(ThreadPoolTest, AllIsDoneWhenRunReturns) {
  for (int round = 0; round < 500; ++round) {
    std::vector<int> values(16);  // not atomic: the caller may read what any thread wrote
    pool_.run(16, [&](int64_t i) { values[static_cast<size_t>(i)] = round; });
    ASSERT_EQ(std::accumulate(values.begin(), values.end(), 0), 16 * round);
  }
}

TEST_P(ThreadPoolTest, ThrowsTheExceptionOfAChunkAfterTheOthersHaveRun) {
  for (const int64_t chunks : {1, 2, 20}) {
    std::atomic<int> done = 0;
    EXPECT_THROW(pool_.run(chunks,
                           [&](int64_t i) {
                             ++done;
                             if (i == 0) throw std::runtime_error("chunk");
                           }),
                 std::runtime_error);
    EXPECT_EQ(done, chunks);
  }
}

TEST_P(ThreadPoolTest, WorksAfterAnException) {
  EXPECT_THROW(pool_.run(4, [](int64_t) { throw std::runtime_error("all"); }), std::runtime_error);
  std::atomic<int> done = 0;
  pool_.run(4, [&](int64_t) { ++done; });
  EXPECT_EQ(done, 4);
}

TEST_P(ThreadPoolTest, ACallFromInsideAChunkRunsOnTheSameThread) {
  std::atomic<int> done = 0, elsewhere = 0;
  pool_.run(8, [&](int64_t) {
    const auto here = std::this_thread::get_id();
    pool_.run(8, [&](int64_t) {
      ++done;
      elsewhere += std::this_thread::get_id() != here;
    });
  });
  EXPECT_EQ(done, 64);
  // A pool of one runs the outer chunks itself, and so the inner ones.
  EXPECT_EQ(elsewhere, 0);
}

TEST_P(ThreadPoolTest, ANestedExceptionReachesTheOuterCaller) {
  EXPECT_THROW(
      pool_.run(3,
                [&](int64_t) { pool_.run(2, [](int64_t) { throw std::runtime_error("inner"); }); }),
      std::runtime_error);
}

TEST_P(ThreadPoolTest, JobsOfTwoCallersDoNotMix) {
  std::atomic<int> mine = 0, theirs = 0;
  std::thread other([&] {
    for (int i = 0; i < 200; ++i) pool_.run(7, [&](int64_t) { ++theirs; });
  });
  for (int i = 0; i < 200; ++i) pool_.run(5, [&](int64_t) { ++mine; });
  other.join();
  EXPECT_EQ(mine, 1000);
  EXPECT_EQ(theirs, 1400);
}

TEST_P(ThreadPoolTest, ResizesRightAfterAJob) {
  // Workers may still be on their way to a job that is over when the pool stops them.
  for (int round = 0; round < 2000; ++round) {
    std::atomic<int> done = 0;
    pool_.run(2, [&](int64_t) { ++done; });
    pool_.resize(1 + round % 4);
    ASSERT_EQ(pool_.threads(), 1 + round % 4);
    ASSERT_EQ(done, 2);
  }
}

TEST(ThreadsTest, AreSetWithinTheirRange) {
  const testing::ForcedThreads restore(3);
  EXPECT_EQ(threads(), 3);
  for (const int wrong : {0, -1, 1025}) {
    try {
      set_threads(wrong);
      ADD_FAILURE() << wrong;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Usage);
    }
  }
  EXPECT_EQ(threads(), 3);
}

TEST(ThreadsTest, TheEnvironmentGivesTheDefault) {
  const char* before = std::getenv("TESSERA_THREADS");
  const std::string old = before ? before : "";
  setenv("TESSERA_THREADS", "7", 1);
  EXPECT_EQ(default_threads(), 7);
  for (const char* wrong : {"0", "x", "", "4x", "1.5", "-2", "99999999999999999999"}) {
    setenv("TESSERA_THREADS", wrong, 1);
    EXPECT_NE(testing::error_of([] { default_threads(); }), "") << '"' << wrong << '"';
  }
  unsetenv("TESSERA_THREADS");
  EXPECT_GE(default_threads(), 1);
  if (before) setenv("TESSERA_THREADS", old.c_str(), 1);
}

TEST(DeviceTest, IsReadFromItsName) {
  EXPECT_EQ(parse_device("cpu"), Device{});
  EXPECT_EQ(to_string(Device{}), "cpu");
  EXPECT_EQ(to_string(Device{DeviceType::Cuda, 3}), "cuda:3");
  EXPECT_NO_THROW(parse_device("auto"));
}

TEST(DeviceTest, ANameThatIsNoneOrNoneOfThisMachineIsRefused) {
  for (const char* wrong :
       {"gpu", "", "cuda:", "cuda:x", "cuda:-1", "cuda:999", "cuda:9999", "CPU"}) {
    try {
      parse_device(wrong);
      ADD_FAILURE() << wrong;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Usage) << wrong;
    }
  }
}

}  // namespace
}  // namespace tessera
