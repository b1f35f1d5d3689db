#include "simt/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

#include "simt/sanitizer.h"
#include "thread_sanitizer.h"

#if !defined(__x86_64__) || defined(SIMT_UCONTEXT)
#define SIMT_PORTABLE_SWITCH
#include <ucontext.h>
#endif

namespace simt {
namespace {

constexpr size_t kStackBytes = 64 * 1024;
// What kernels use of a stack, for ThreadSanitizer: more would show as races on local variables.
constexpr size_t kForgotten = 4 * 1024;
size_t page() {
  static const size_t bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

// Who is being left and entered, for the first instructions on a fresh stack.
Fiber* leaving = nullptr;
Fiber* entering = nullptr;

}  // namespace

#ifndef SIMT_PORTABLE_SWITCH
// Saves what the System V ABI lets a callee keep, exchanges stacks, returns on the new one.
extern "C" void simt_switch_stack(void** save, void* load);
asm(R"(
  .text
  .globl simt_switch_stack
  .type simt_switch_stack, @function
simt_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size simt_switch_stack, .-simt_switch_stack
)");
#endif

void Fiber::prepare(void (*entry)()) {
  if (stack_ == nullptr) {
    stack_ = static_cast<char*>(recycled_memory(kStackBytes + page()));
    mprotect(stack_, page(), PROT_NONE);  // an overflow faults instead of writing elsewhere
    bottom_ = stack_ + page();
    size_ = kStackBytes;
  }
  entry_ = entry;
  fake_stack_ = nullptr;
  sanitizer::unpoison(bottom_, size_);  // frames of a thread that was given up
  forget(stack_ + page() + kStackBytes - kForgotten, kForgotten);
#ifdef SIMT_PORTABLE_SWITCH
  auto* context = static_cast<ucontext_t*>(saved_);
  if (context == nullptr) saved_ = context = new ucontext_t;
  getcontext(context);
  context->uc_stack.ss_sp = stack_ + page();
  context->uc_stack.ss_size = kStackBytes;
  context->uc_link = nullptr;
  makecontext(context, &Fiber::begin, 0);
#else
  // Six registers and the address `ret` takes; the stack is then as after a call.
  auto* top = reinterpret_cast<uint64_t*>(stack_ + page() + kStackBytes);
  *--top = 0;
  *--top = reinterpret_cast<uint64_t>(&Fiber::begin);
  for (int i = 0; i < 6; ++i) *--top = 0;
  saved_ = top;
#endif
}

void Fiber::begin() {
  sanitizer::finish_switch(nullptr, &leaving->bottom_, &leaving->size_);
  entering->entry_();
  std::abort();
}

void Fiber::enter(Fiber& from) {
  leaving = &from;
  entering = this;
  sanitizer::start_switch(&from.fake_stack_, bottom_, size_);
#ifdef SIMT_PORTABLE_SWITCH
  if (from.saved_ == nullptr) from.saved_ = new ucontext_t;
  swapcontext(static_cast<ucontext_t*>(from.saved_), static_cast<ucontext_t*>(saved_));
#else
  simt_switch_stack(&from.saved_, saved_);
#endif
  // Back again: `leaving` is now whoever entered `from`.
  sanitizer::finish_switch(from.fake_stack_, &leaving->bottom_, &leaving->size_);
}

}  // namespace simt
