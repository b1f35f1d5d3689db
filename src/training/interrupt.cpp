#include "training/interrupt.h"

#include <csignal>

namespace tessera {
namespace {
volatile std::sig_atomic_t requests = 0;

extern "C" void note_signal(int signal) {
  requests = requests + 1;
  std::signal(signal, SIG_DFL);  // the next one ends the program
}
}  // namespace

InterruptGuard::InterruptGuard() {
  requests = 0;
  std::signal(SIGINT, note_signal);
  std::signal(SIGTERM, note_signal);
}

InterruptGuard::~InterruptGuard() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

bool InterruptGuard::requested() const { return requests > 0; }

}  // namespace tessera
