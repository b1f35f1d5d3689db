#include "training/interrupt.h"

#include <atomic>
#include <csignal>

namespace tessera {
namespace {
std::atomic<int> requests = 0, guards = 0;
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may not wait");

extern "C" void note_signal(int signal) {
  requests = requests + 1;
  std::signal(signal, SIG_DFL);  // the next one ends the program
}
}  // namespace

InterruptGuard::InterruptGuard() {
  if (guards.fetch_add(1) > 0) return;
  requests = 0;
  std::signal(SIGINT, note_signal);
  std::signal(SIGTERM, note_signal);
}

InterruptGuard::~InterruptGuard() {
  if (guards.fetch_sub(1) > 1) return;
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

bool InterruptGuard::requested() const { return requests > 0; }

}  // namespace tessera
