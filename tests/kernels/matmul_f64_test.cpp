#include "kernels/matmul_cases.h"

namespace tessera {
namespace {

TEST(MatmulF64Test, EveryElementIsOneChainInDouble) {
  for (const int64_t target : testing::simd_targets()) {
    const testing::ForcedSimdTarget forced(target);
    for (const int64_t m : {1, 3, 9})
      for (const int64_t n : {1, 4, 9, 25, 50})
        for (const int64_t k : {0, 1, 7}) {
          testing::MatmulCase one = {m, n, k};
          one.has_beta = (m + n) % 2 == 0;
          one.has_bias = true;
          for (const auto& layout : testing::layouts(one)) layout.check();
        }
    testing::MatmulCase{.m = 2, .n = 5, .k = 2050}.check();
  }
}

}  // namespace
}  // namespace tessera
