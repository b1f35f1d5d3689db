#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "simt/emulator.h"
#include "simt/fiber.h"
#include "thread_sanitizer.h"

namespace simt {

constexpr int kWarpSize = 32;

/// A warp operation that waits for more of its lanes.
struct Collective {
  WarpOp op = WarpOp::Sync;
  unsigned mask = 0, arrived = 0;
  Site site;
};

struct Warp {
  unsigned ready = 0;  // lanes that can run, started or not
  unsigned exited = 0, at_barrier = 0;
  unsigned priority = 0;
  Collective open[kWarpSize];  // each has a lane that waits
  int num_open = 0;
  uint64_t value[kWarpSize] = {};  // in, then out
  int argument[kWarpSize] = {};

  std::span<Collective> collectives() { return {open, static_cast<size_t>(num_open)}; }
  std::span<const Collective> collectives() const { return {open, static_cast<size_t>(num_open)}; }
};

/// SplitMix64 (Steele, Lea, Flood 2014). The emulator calls no library code that instrumented sources
/// call too: the linker keeps one copy, and with theirs ThreadSanitizer would watch the scheduler.
struct Random {
  using result_type = uint64_t;
  uint64_t state = 0;
  static constexpr uint64_t min() { return 0; }
  static constexpr uint64_t max() { return ~uint64_t{0}; }
  uint64_t operator()() {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
};

/// Runs the threads of one block after another as fibers. One per process, one launch at a time.
class Scheduler {
 public:
  static Scheduler& instance();

  void run(const LaunchShape& shape, const std::function<void()>& thread, const Schedule& schedule);
  void sync_threads(const Site& site);
  uint64_t warp_collective(WarpOp op, unsigned mask, uint64_t value, int argument,
                           const Site& site);
  void yield();
  void fence();
  bool before_atomic();
  /// Gives the launch up: run() throws `message` with the coordinates of the running thread.
  [[noreturn]] void fail(const std::string& message) const;

 private:
  static void worker();
  void run_block(unsigned block);
  void renew_stacks(size_t count);
  void finish_thread();
  void return_to_host();
  void leave();  // the running thread waits: continue another
  int pick();
  int pick_priority();
  void continue_with(int thread, bool from_idle_fiber);
  void set_running(int thread);
  std::string deadlock() const;
  void perform(Warp& warp, const Collective& group);

  Warp& running_warp() { return warps_[running_ / kWarpSize]; }
  unsigned running_bit() const { return 1u << (running_ % kWarpSize); }

  LaunchShape shape_{};
  Schedule schedule_;
  Random random_;
  const std::function<void()>* thread_ = nullptr;

  std::vector<Warp> warps_;
  std::vector<Fiber*> fiber_of_;  // by thread; null until it starts
  std::vector<char> fenced_;      // by thread: has executed a __threadfence
  int running_ = 0, unfinished_ = 0;
  unsigned waiting_ = 0;  // at the barrier
  Site barrier_site_;
  int barrier_first_ = 0;
  uint64_t switches_ = 0;
  std::string error_;  // of the launch, empty while all is well
  bool active_ = false;

  RaceDetector races_;
  Fiber main_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> idle_;
  Fiber* current_ = nullptr;  // the fiber this runs on
};

// Shared memory of the running block: shared_memory.cpp.
void begin_shared_block();
void end_shared_block();

/// file:line:column, the file without its folders.
std::string to_string(const Site& site);
bool same(const Site& a, const Site& b);

}  // namespace simt
