// Runs every mistake of table.cpp, and the same kernel without it, in every mode of this build. Each run
// is a process of its own, because sanitizers end the program that they find something in.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "planted_bug.h"
#include "simt/sanitizer.h"

// The first report ends a run. Names of functions cost a second a report, and no test reads them.
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() {
  return "halt_on_error=1:symbolize=0:atexit_sleep_ms=0";
}
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "detect_leaks=0:symbolize=0"; }

namespace simt::planted {
namespace {

using Order = Schedule::Order;

/// A column of the table and the orders of threads that make it up.
struct Mode {
  Column column;
  std::vector<Schedule> schedules;
};

/// The modes this build has, with 20 seeds where the order of threads depends on one.
std::vector<Mode> modes() {
#if defined(SIMT_THREAD_SANITIZER)
  const std::vector<Column> columns = {kByThread, kByWarp, kByBlock};
#elif defined(__SANITIZE_ADDRESS__)
  const std::vector<Column> columns = {kAddress};
#else
  const std::vector<Column> columns = {};
#endif
  std::vector<Schedule> seeds;
  for (uint64_t seed = 1; seed <= 20; ++seed) seeds.push_back({Order::Priority, seed});
  std::vector<Mode> all;
  if (columns.empty())
    all = {{kInOrder, {{Order::InOrder}}},
           {kReverse, {{Order::Reverse}}},
           {kWarp, {{Order::Warp}}},
           {kPriority, seeds}};
  seeds.insert(seeds.begin(), Schedule{Order::InOrder});
  for (const Column column : columns) all.push_back({column, seeds});
  return all;
}

enum Exit { kRight = 0, kWrongNumbers = 10, kEmulatorError = 11 };

[[noreturn]] void run_child(Kernel* kernel, bool bug, Column column,
                            std::span<const Schedule> schedules, int output) {
  dup2(output, STDERR_FILENO);
  alarm(60);
  if (column >= kByThread) {
    const char* names[] = {"thread", "warp", "block"};
    setenv("TESSERA_SIMT_TSAN", names[column - kByThread], 1);
  }
  try {
    for (const Schedule& schedule : schedules) {
      set_schedule(schedule);
      if (!kernel(bug)) _exit(kWrongNumbers);
    }
  } catch (const Error& error) {
    dprintf(STDERR_FILENO, "%s\n", error.what());
    _exit(kEmulatorError);
  }
  _exit(kRight);
}

/// What a run shows: a letter of the table, and the text it printed.
struct Seen {
  char letter;
  std::string text;
};

/// One process that runs `kernel` in all orders of `schedules`, until one shows something.
Seen run_process(Kernel* kernel, bool bug, Column column, std::span<const Schedule> schedules) {
  int ends[2];
  if (pipe(ends) != 0) return {'?', "no pipe"};
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) run_child(kernel, bug, column, schedules, ends[1]);
  close(ends[1]);
  std::string text;
  char part[4096];
  for (ssize_t n; (n = read(ends[0], part, sizeof part)) > 0;) text.append(part, n);
  close(ends[0]);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return {'?', "no process"};
  if (text.find("ThreadSanitizer: data race") != text.npos) return {'r', text};
  if (text.find("AddressSanitizer:") != text.npos) return {'a', text};
  if (text.find("runtime error:") != text.npos) return {'u', text};
  if (WIFEXITED(status) && WEXITSTATUS(status) == kRight) return {'.', text};
  if (WIFEXITED(status) && WEXITSTATUS(status) == kWrongNumbers) return {'n', text};
  if (WIFEXITED(status) && WEXITSTATUS(status) == kEmulatorError) return {'e', text};
  return {'?', text + " wait status " + std::to_string(status)};
}

class PlantedBugTest : public ::testing::TestWithParam<PlantedBug> {};
INSTANTIATE_TEST_SUITE_P(, PlantedBugTest, ::testing::ValuesIn(planted_bugs()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(PlantedBugTest, IsSeenAsTheTableSays) {
  for (const Mode& mode : modes()) {
    const char expected = GetParam().seen[mode.column];
    // A sanitizer's verdict does not depend on the order of threads; the numbers beside it may.
    const bool verdict = std::string("aure").find(expected) != std::string::npos;
    const size_t runs = mode.column < kAddress || verdict ? mode.schedules.size() : 1;
    for (size_t i = 0; i < runs; ++i) {
      const Seen seen =
          run_process(GetParam().run, true, mode.column, std::span(mode.schedules).subspan(i, 1));
      EXPECT_EQ(seen.letter, expected)
          << "column " << mode.column << ", schedule " << i << ": " << seen.text;
    }
  }
}

TEST_P(PlantedBugTest, TwinWithoutItIsSilent) {
  for (const Mode& mode : modes()) {
    const Seen seen = run_process(GetParam().run, false, mode.column, mode.schedules);
    EXPECT_EQ(seen.letter, '.') << "column " << mode.column << ": " << seen.text;
  }
}

#ifdef SIMT_THREAD_SANITIZER
TEST(PlantedBugReportTest, NamesThreadsAsCudaDoes) {
  const std::vector<Schedule> in_order = {{Order::InOrder}};
  const std::string by_warp = run_process(stencil_in_place, true, kByWarp, in_order).text;
  EXPECT_NE(by_warp.find("'block 1 warp 0'"), std::string::npos) << by_warp;
  const std::string by_thread =
      run_process(exchange_without_syncwarp, true, kByThread, in_order).text;
  EXPECT_NE(by_thread.find("'block 0 thread 1'"), std::string::npos) << by_thread;
}
#endif

}  // namespace
}  // namespace simt::planted
