#include "kernels/vq_assign_cases.h"

namespace tessera {
namespace {

using testing::VqCase;

TEST(VqAssignF64Test, CodesAreThoseOfTheDefinition) {
  for (const int64_t target : testing::simd_targets()) {
    const testing::ForcedSimdTarget forced(target);
    VqCase({{1, 1}, {7, 33}, {16, 20}}, 70).check();
    VqCase ties(60, 50, 2);
    for (double& v : ties.latents) v = std::round(v * 2) / 2;
    for (double& v : ties.codebooks) v = std::round(v * 2) / 2;
    ties.latents[11] = std::numeric_limits<double>::quiet_NaN();
    ties.codebooks[4] = std::numeric_limits<double>::infinity();
    ties.check();
  }
}

}  // namespace
}  // namespace tessera
