#pragma once

#include <cstddef>
#include <vector>

#include "simt/emulator.h"

namespace simt {

#ifdef SIMT_THREAD_SANITIZER

/// Tells ThreadSanitizer which emulated threads run, and what orders them.
///
/// Each emulated thread, warp or block (environment TESSERA_SIMT_TSAN=thread|warp|block; warp where
/// it is not set) is a fiber of ThreadSanitizer, a thread of its own in its eyes. Switches order
/// nothing; the edges are those that CUDA gives: launch, __syncthreads, __syncwarp, and atomics after a
/// __threadfence (device.h). Shuffles and votes order no memory.
///   thread  races inside a warp too; in blocks of more than 224 threads, those 224 apart are one
///   warp    races between warps, exact up to 254 warps a launch
///   block   races between blocks, exact up to 254 blocks a launch
/// ThreadSanitizer follows 255 threads at once; with more, what one knows seeps into the others. So
/// launches with more fibers use them again, block after block: what a fiber did earlier then counts
/// as ordered. That hides races between blocks and never invents one.
class RaceDetector {
 public:
  /// Called by the host, outside all emulated threads.
  void begin_launch(unsigned threads);
  void begin_block(unsigned block);
  void end_launch();

  /// What runs from now on is this thread of the block, or the host.
  void enter(int thread);
  void enter_host();

  /// All threads of the block, or the lanes in `mask` of a warp, have met.
  void join_block();
  void join_lanes(int warp, unsigned mask);

 private:
  void join(int begin, int end, unsigned mask);
  int unit_of(int thread) const;
  void name_unit(unsigned block, int unit);

  std::vector<void*> fibers_;  // of ThreadSanitizer; those of one block are neighbours
  void* host_ = nullptr;
  void* current_ = nullptr;
  int units_ = 0;           // fibers that a block needs
  int blocks_at_once_ = 0;  // before they are used again
  int blocks_ = 0, first_ = 0;
};

/// Memory that several blocks use one after another, for forget().
void* recycled_memory(size_t bytes);
/// What happened to [data, data + bytes) of such memory does not concern its next users.
void forget(void* data, size_t bytes);
constexpr bool kRecyclesStacks =
    false;  // inside a block: two threads would seem to share variables

#else

class RaceDetector {
 public:
  void begin_launch(unsigned) {}
  void begin_block(unsigned) {}
  void end_launch() {}
  void enter(int) {}
  void enter_host() {}
  void join_block() {}
  void join_lanes(int, unsigned) {}
};
void* recycled_memory(size_t bytes);
inline void forget(void*, size_t) {}
constexpr bool kRecyclesStacks = true;

#endif

}  // namespace simt
