#pragma once

#include <cstdint>
#include <vector>

#include "cpu/simd_targets.h"
#include "hwy/targets.h"

namespace tessera::testing {

/// The compiled instruction sets this CPU can run, as bits of Highway; HWY_SCALAR always.
inline std::vector<int64_t> simd_targets() {
  std::vector<int64_t> targets = {HWY_SCALAR};
  for (const int64_t target : {HWY_AVX2, HWY_AVX3})
    if (hwy::SupportedTargets() & target) targets.push_back(target);
  return targets;
}

/// While it lives, kernels run the code of one target.
class ForcedSimdTarget {
 public:
  explicit ForcedSimdTarget(int64_t target) { hwy::SetSupportedTargetsForTest(target); }
  ~ForcedSimdTarget() { hwy::SetSupportedTargetsForTest(0); }
  ForcedSimdTarget(const ForcedSimdTarget&) = delete;
  ForcedSimdTarget& operator=(const ForcedSimdTarget&) = delete;
};

}  // namespace tessera::testing
