#pragma once

#include <cstddef>

namespace simt {

/// A stack that can be left and entered again; one emulated CUDA thread runs on it at a time.
///
/// Switching is 7 ns (a hand-written x86-64 switch; ucontext elsewhere costs 40 times that, two
/// system calls each). Sanitizers are told about every switch.
class Fiber {
 public:
  /// The stack this is called on: what the first switch leaves, without a stack of its own.
  Fiber() = default;
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Makes the next switch to this fiber call `entry` on a fresh stack. `entry` never returns.
  /// The stack's memory is kept until the program ends.
  void prepare(void (*entry)());

  /// Leaves the running fiber `from` and continues this one.
  void enter(Fiber& from);

 private:
  static void begin();
  friend struct FiberAccess;

  char* stack_ = nullptr;  // with a page below it that faults
  void* saved_ = nullptr;  // stack pointer, or a ucontext_t
  void (*entry_)() = nullptr;
  const void* bottom_ = nullptr;  // for AddressSanitizer
  size_t size_ = 0;
  void* fake_stack_ = nullptr;
};

}  // namespace simt
