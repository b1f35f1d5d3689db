#pragma once

#include <vector>

#include "tessera/device.h"
#include "testing/numbers.h"
#include "testing/simd_target.h"

namespace tessera::testing {

/// Sets the number of threads and puts the old one back.
class ForcedThreads {
 public:
  explicit ForcedThreads(int count) : before_(threads()) { set_threads(count); }
  ~ForcedThreads() { set_threads(before_); }
  ForcedThreads(const ForcedThreads&) = delete;
  ForcedThreads& operator=(const ForcedThreads&) = delete;

 private:
  int before_;
};

/// `run` computes something on the CPU and returns it. The bits must be the same for 1, 2 and 3
/// threads, and for every instruction set.
template <class F>
void expect_same_bits_everywhere(F&& run) {
  const auto reference = [&] {
    const ForcedThreads one(1);
    return run();
  }();
  for (const int64_t target : simd_targets())
    for (const int count : {1, 2, 3}) {
      SCOPED_TRACE(::testing::Message() << hwy::TargetName(target) << ", " << count << " threads");
      const ForcedSimdTarget forced(target);
      const ForcedThreads threads(count);
      expect_same_bits(run(), reference);
    }
}

}  // namespace tessera::testing
