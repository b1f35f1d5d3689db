#include "scheduler.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "cuda_runtime.h"

namespace simt {
namespace {
// A block that switches this often without end waits for something that never comes.
constexpr uint64_t kSwitchBudget = 400'000'000;
}  // namespace

Scheduler& Scheduler::instance() {
  static Scheduler& scheduler = *new Scheduler;  // its stacks may outlive static destruction
  return scheduler;
}

void Scheduler::run(const LaunchShape& shape, const std::function<void()>& thread,
                    const Schedule& schedule) {
  if (active_) throw Error("simt: a launch inside a kernel");
  if (shape.threads < 1 || shape.threads > 1024 || shape.blocks < 1)
    throw Error("simt: launch of " + std::to_string(shape.blocks) + " blocks x " +
                std::to_string(shape.threads) + " threads; a block has 1 to 1024");
  shape_ = shape;
  schedule_ = schedule;
  random_.state = schedule.seed;
  thread_ = &thread;
  active_ = true;
  blockDim = {shape.threads, 1, 1};
  gridDim = {shape.blocks, 1, 1};
  std::vector<unsigned> order(schedule.order == Schedule::Order::Priority ? shape.blocks : 0);
  for (unsigned i = 0; i < order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), random_);
  error_.clear();
  races_.begin_launch(shape.threads);
  for (unsigned i = 0; i < shape.blocks && error_.empty(); ++i)
    run_block(!order.empty()                               ? order[i]
              : schedule.order == Schedule::Order::Reverse ? shape.blocks - 1 - i
                                                           : i);
  races_.end_launch();
  active_ = false;
  if (error_.empty()) return;
  renew_stacks(fibers_.size());  // some have frames that nobody will leave
  throw Error(error_);
}

/// At least `count` stacks are there, all of them unused.
void Scheduler::renew_stacks(size_t count) {
  while (fibers_.size() < count) fibers_.push_back(std::make_unique<Fiber>());
  idle_.clear();
  for (size_t i = 0; i < count; ++i) {
    fibers_[i]->prepare(&Scheduler::worker);
    idle_.push_back(fibers_[i].get());
  }
}

void Scheduler::run_block(unsigned block) {
  const int threads = static_cast<int>(shape_.threads);
  blockIdx = {block, 0, 0};
  warps_.assign((threads + kWarpSize - 1) / kWarpSize, {});
  for (int i = 0; i < threads; ++i) warps_[i / kWarpSize].ready |= 1u << (i % kWarpSize);
  for (Warp& warp : warps_) warp.priority = static_cast<unsigned>(random_());
  fiber_of_.assign(threads, nullptr);
  fenced_.assign(threads, 0);
  if (!kRecyclesStacks) renew_stacks(threads);
  unfinished_ = threads;
  waiting_ = 0;
  switches_ = 0;
  begin_shared_block();
  races_.begin_block(block);
  running_ = schedule_.order == Schedule::Order::Reverse ? 0 : threads - 1;  // before the first
  current_ = &main_;
  continue_with(pick(), false);
  end_shared_block();
}

void Scheduler::set_running(int thread) {
  running_ = thread;
  threadIdx = {static_cast<unsigned>(thread), 0, 0};
  running_warp().ready &= ~running_bit();
  races_.enter(thread);
}

/// Continues `thread`, which may not have started. Returns when the calling fiber is entered again;
/// an idle fiber is then to run the body of a thread that starts.
void Scheduler::continue_with(int thread, bool from_idle_fiber) {
  set_running(thread);
  Fiber* to = fiber_of_[thread];
  if (to == nullptr && from_idle_fiber && kRecyclesStacks) {  // start it on this very stack
    fiber_of_[thread] = current_;
    return;
  }
  if (to == nullptr) {
    if (idle_.empty()) {
      fibers_.push_back(std::make_unique<Fiber>());
      fibers_.back()->prepare(&Scheduler::worker);
      idle_.push_back(fibers_.back().get());
    }
    to = fiber_of_[thread] = idle_.back();
    idle_.pop_back();
  }
  Fiber* from = current_;
  if (from_idle_fiber && kRecyclesStacks) idle_.push_back(from);
  current_ = to;
  to->enter(*from);
}

void Scheduler::worker() {
  Scheduler& self = instance();
  while (true) {
    try {
      (*self.thread_)();
      self.finish_thread();
    } catch (const Error& error) {  // unwinds the thread that failed, and no other
      self.error_ = error.what();
    }
    if (!self.error_.empty()) self.return_to_host();
  }
}

void Scheduler::return_to_host() {
  Fiber* from = current_;
  current_ = &main_;
  races_.enter_host();
  main_.enter(*from);
}

void Scheduler::finish_thread() {
  running_warp().exited |= running_bit();
  if (--unfinished_ == 0) {
    if (kRecyclesStacks) idle_.push_back(current_);
    return_to_host();
    return;  // with a thread of a later block
  }
  const int next = pick();
  if (next < 0) throw Error(deadlock());
  continue_with(next, true);
}

void Scheduler::leave() {
  if (++switches_ > kSwitchBudget) fail("threads wait for something that never comes");
  const int next = pick();
  if (next < 0) throw Error(deadlock());
  if (next == running_)
    set_running(next);
  else
    continue_with(next, false);
}

void Scheduler::yield() {
  if (schedule_.order != Schedule::Order::Priority) return;
  running_warp().ready |= running_bit();
  leave();
}

void Scheduler::fence() {
  fenced_[running_] = 1;
  yield();
}

bool Scheduler::before_atomic() {
  yield();
  return fenced_[running_] != 0;
}

int Scheduler::pick_priority() {
  if (random_() % 128 == 0) running_warp().priority = static_cast<unsigned>(random_());
  const Warp* best = nullptr;
  for (const Warp& warp : warps_)
    if (warp.ready != 0 && (best == nullptr || warp.priority > best->priority)) best = &warp;
  if (best == nullptr) return -1;
  const int turn = static_cast<int>(random_() % kWarpSize);
  const int lane = (std::countr_zero(std::rotr(best->ready, turn)) + turn) % kWarpSize;
  return static_cast<int>(best - warps_.data()) * kWarpSize + lane;
}

/// The next thread to run by the schedule; -1 where none can.
int Scheduler::pick() {
  if (schedule_.order == Schedule::Order::Priority) return pick_priority();
  const int warps = static_cast<int>(warps_.size()), first = running_ / kWarpSize;
  const int lane = running_ % kWarpSize;
  const bool reverse = schedule_.order == Schedule::Order::Reverse;
  const unsigned here = warps_[first].ready;
  const unsigned beyond = reverse ? here & ((1u << lane) - 1) : here & ~((2u << lane) - 1);
  const auto thread = [&](int warp, unsigned mask) {
    return warp * kWarpSize + (reverse ? 31 - std::countl_zero(mask) : std::countr_zero(mask));
  };
  if (beyond != 0) return thread(first, beyond);
  if (schedule_.order == Schedule::Order::Warp && here != 0) return thread(first, here);
  for (int step = 1; step <= warps; ++step) {
    const int warp = ((reverse ? first - step : first + step) + warps) % warps;
    if (warps_[warp].ready != 0) return thread(warp, warps_[warp].ready);
  }
  return -1;
}

void Scheduler::sync_threads(const Site& site) {
  if (waiting_ == 0) {
    barrier_site_ = site;
    barrier_first_ = running_;
  } else if (!same(site, barrier_site_)) {
    fail("divergent barrier: this thread is at " + to_string(site) + " while thread " +
         std::to_string(barrier_first_) + " waits at " + to_string(barrier_site_));
  }
  running_warp().at_barrier |= running_bit();
  if (++waiting_ == shape_.threads) {
    waiting_ = 0;
    races_.join_block();
    for (Warp& warp : warps_) warp.ready |= std::exchange(warp.at_barrier, 0);
  }
  leave();
}

}  // namespace simt
