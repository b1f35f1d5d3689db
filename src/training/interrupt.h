#pragma once

namespace tessera {

/// While one lives, SIGINT and SIGTERM are noted instead of ending the program; a second one of
/// the same ends it at once. Of several, whichever threads have them, all see the signal, and the first
/// one has to outlive the others.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;
  bool requested() const;
};

}  // namespace tessera
