// This file, like all of the emulator, is compiled without ThreadSanitizer's instrumentation: what the
// scheduler does on behalf of a thread must not look like the thread's own accesses. The interface it
// calls is that of compiler-rt (tsan_interface.h, tsan_interface_java.h).

#include "thread_sanitizer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "scheduler.h"

#ifdef SIMT_THREAD_SANITIZER
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_set_fiber_name(void* fiber, const char* name);
void __tsan_java_init(uintptr_t begin, uintptr_t bytes);
void __tsan_java_alloc(uintptr_t data, uintptr_t bytes);
void __tsan_java_free(uintptr_t data, uintptr_t bytes);
void __tsan_java_acquire(uintptr_t address);
void __tsan_java_release(uintptr_t address);
void __tsan_java_release_store(uintptr_t address);
}
#endif

namespace simt {
namespace {

size_t whole_pages(size_t bytes) {
  static const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}
void* map(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  return memory;
}

}  // namespace

#ifndef SIMT_THREAD_SANITIZER

void* recycled_memory(size_t bytes) { return map(whole_pages(bytes)); }

#else

namespace {

constexpr int kSlots = 254;  // threads that ThreadSanitizer follows at once, less the host's
constexpr int kMostThreads = kSlots / kWarpSize * kWarpSize;
constexpr unsigned kNoEdge = 1, kEdge = 0;

enum class Granularity { Thread, Warp, Block };

Granularity granularity() {
  static const Granularity chosen = [] {
    const char* text = std::getenv("TESSERA_SIMT_TSAN");
    const std::string_view name = text != nullptr ? text : "warp";
    if (name == "thread") return Granularity::Thread;
    if (name == "warp") return Granularity::Warp;
    if (name == "block") return Granularity::Block;
    std::fprintf(stderr, "simt: TESSERA_SIMT_TSAN=%s is not known; use thread, warp or block\n",
                 text);
    std::exit(2);
  }();
  return chosen;
}

// ThreadSanitizer forgets accesses only in one range of memory, named once.
struct Region {
  static constexpr size_t kBytes = size_t{160} << 20;  // of addresses: 1,024 stacks and an arena
  char* begin = static_cast<char*>(map(kBytes));
  size_t used = 0;
  Region() { __tsan_java_init(reinterpret_cast<uintptr_t>(begin), kBytes); }
};

// Threads that meet release and acquire this, one after another.
char* meeting_point() {
  static char* const point = static_cast<char*>(recycled_memory(8));
  return point;
}

}  // namespace

void* recycled_memory(size_t bytes) {
  static Region& region = *new Region;
  char* const memory = region.begin + region.used;
  region.used += whole_pages(bytes);
  if (region.used > Region::kBytes) std::abort();
  __tsan_java_alloc(reinterpret_cast<uintptr_t>(memory), whole_pages(bytes));
  return memory;
}

// In the first block of a launch, all that happened before is ordered by the launch.
static bool first_block = true;

void forget(void* data, size_t bytes) {
  if (first_block) return;
  bytes = (bytes + 7) / 8 * 8;
  if (bytes == 0) return;
  __tsan_java_free(reinterpret_cast<uintptr_t>(data), bytes);
  __tsan_java_alloc(reinterpret_cast<uintptr_t>(data), bytes);
}

int RaceDetector::unit_of(int thread) const {
  switch (granularity()) {
    case Granularity::Thread:
      return thread % kMostThreads;
    case Granularity::Warp:
      return thread / kWarpSize;
    case Granularity::Block:
      break;
  }
  return 0;
}

void RaceDetector::begin_launch(unsigned threads) {
  host_ = current_ = __tsan_get_current_fiber();
  units_ = granularity() == Granularity::Thread ? std::min(static_cast<int>(threads), kMostThreads)
                                                : unit_of(static_cast<int>(threads) - 1) + 1;
  blocks_at_once_ = kSlots / units_;
  blocks_ = 0;
  first_block = true;
}

void RaceDetector::begin_block(unsigned block) {
  first_ = blocks_++ % blocks_at_once_ * units_;
  while (static_cast<int>(fibers_.size()) < first_ + units_)
    fibers_.push_back(__tsan_create_fiber(0));
  for (int unit = 0; unit < units_; ++unit) {
    name_unit(block, unit);
    __tsan_switch_to_fiber(fibers_[first_ + unit], kEdge);  // launched after what the host has done
    __tsan_switch_to_fiber(host_, kNoEdge);
  }
  first_block = false;
}

void RaceDetector::name_unit(unsigned block, int unit) {
  char name[64];
  switch (granularity()) {
    case Granularity::Thread:
      std::snprintf(name, sizeof name, "block %u thread %d", block, unit);
      break;
    case Granularity::Warp:
      std::snprintf(name, sizeof name, "block %u warp %d", block, unit);
      break;
    case Granularity::Block:
      std::snprintf(name, sizeof name, "block %u", block);
      break;
  }
  __tsan_set_fiber_name(fibers_[first_ + unit], name);
}

void RaceDetector::end_launch() {
  const int used = (blocks_ < blocks_at_once_ ? blocks_ : blocks_at_once_) * units_;
  for (int i = 0; i < used; ++i) {
    __tsan_switch_to_fiber(fibers_[i], kNoEdge);
    __tsan_switch_to_fiber(host_, kEdge);
  }
}

void RaceDetector::enter(int thread) {
  void* const fiber = fibers_[first_ + unit_of(thread)];
  if (fiber == current_) return;
  current_ = fiber;
  __tsan_switch_to_fiber(fiber, kNoEdge);
}

void RaceDetector::enter_host() {
  current_ = host_;
  __tsan_switch_to_fiber(host_, kNoEdge);
}

void RaceDetector::join_block() {
  if (units_ > 1) join(0, units_, 0xffffffffu);
}

void RaceDetector::join_lanes(int warp, unsigned mask) {
  if (granularity() != Granularity::Thread) return;  // one fiber anyway
  const int begin = unit_of(warp * kWarpSize);
  join(begin, std::min(begin + kWarpSize, units_), mask);
}

/// What each of the units in [begin, end) whose bit is set (modulo 32) has done is before all that any
/// of them does from now on.
void RaceDetector::join(int begin, int end, unsigned mask) {
  const auto point = reinterpret_cast<uintptr_t>(meeting_point());
  bool first = true;
  for (int unit = begin; unit < end; ++unit) {
    if ((mask >> unit % kWarpSize & 1) == 0) continue;
    __tsan_switch_to_fiber(fibers_[first_ + unit], kNoEdge);
    if (first)
      __tsan_java_release_store(point);  // nothing of an earlier meeting is left
    else
      __tsan_java_release(point);
    first = false;
  }
  for (int unit = begin; unit < end; ++unit) {
    if ((mask >> unit % kWarpSize & 1) == 0) continue;
    __tsan_switch_to_fiber(fibers_[first_ + unit], kNoEdge);
    __tsan_java_acquire(point);
  }
  __tsan_switch_to_fiber(current_, kNoEdge);
}
#endif

}  // namespace simt
