#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "simt/emulator.h"
#include "simt/fiber.h"

namespace simt {

constexpr int kWarpSize = 32;

/// A warp operation that waits for more of its lanes.
struct Collective {
  WarpOp op;
  unsigned mask, arrived;
  Site site;
};

struct Warp {
  unsigned ready = 0;  // lanes that can run, started or not
  unsigned exited = 0, at_barrier = 0;
  unsigned priority = 0;
  std::vector<Collective> open;
  uint64_t value[kWarpSize] = {};  // in, then out
  int argument[kWarpSize] = {};
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
  /// Gives the launch up: run() throws `message` with the coordinates of the running thread.
  [[noreturn]] void fail(const std::string& message) const;

 private:
  static void worker();
  void run_block(unsigned block);
  void finish_thread();
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
  std::mt19937_64 random_;
  const std::function<void()>* thread_ = nullptr;

  std::vector<Warp> warps_;
  std::vector<Fiber*> fiber_of_;  // by thread; null until it starts
  int running_ = 0, unfinished_ = 0;
  unsigned waiting_ = 0;  // at the barrier
  Site barrier_site_;
  int barrier_first_ = 0;
  uint64_t switches_ = 0;
  std::string error_;  // of the launch, empty while all is well
  bool active_ = false;

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
