#include "core/context.h"
#include "simulate/initial_fields.h"
#include "tessera/simulate.h"

namespace tessera {

// Rates with which each class shows on 64 x 64 cells.
// Source: Pearson 1993, figure 3; Munafo, "Pearson's Classification (Extended) of Gray-Scott System
// Parameter Values".
std::span<const GrayScottRegime> gray_scott_regimes() {
  static constexpr GrayScottRegime kRegimes[] = {
      {"alpha", 0.014f, 0.053f}, {"beta", 0.014f, 0.039f},    {"gamma", 0.022f, 0.051f},
      {"delta", 0.030f, 0.055f}, {"epsilon", 0.018f, 0.055f}, {"zeta", 0.026f, 0.059f},
      {"eta", 0.034f, 0.063f},   {"theta", 0.030f, 0.057f},   {"iota", 0.050f, 0.0605f},
      {"kappa", 0.050f, 0.063f}, {"lambda", 0.026f, 0.061f},  {"mu", 0.046f, 0.065f},
  };
  return kRegimes;
}

RegimeRun run_regime(const GrayScottRegime& regime, uint64_t seed) {
  constexpr int64_t kSteps = 16384;
  // Pearson's 2e-5 and 1e-5 on cells of 2.5 / 256.
  const kernels::GrayScottRates rates = {regime.feed, regime.kill, 0.2097152f, 0.1048576f};
  std::vector<float> fields(static_cast<size_t>(2 * kernels::kGrayCells));
  RegimeRun run;
  run.features.resize(kernels::kFrameFeatures);
  pearson_start(seed, fields);
  kernels::gray_scott(cpu_context(),
                      {fields.data(), &rates, nullptr, run.features.data(), 1, 1, kSteps});
  run.v.assign(fields.begin() + kernels::kGrayCells, fields.end());
  return run;
}

}  // namespace tessera
