#pragma once

#include <cstdint>
#include <span>

#include "tessera/kernels/gray_scott.h"

namespace tessera {

/// What a sample starts from.
struct SimulationStart {
  kernels::GrayScottRates rates;
  float seed_height;   ///< v inside the seeds; u is 1 minus twice that
  float noise_height;  ///< of the uniform noise: relative on v, a tenth of it added to u
};

/// Draws rates and fields of one sample; `fields` [2, 64, 64] are u and v. A function of seed and
/// sample alone.
///
/// Rates lie around the line 4 (feed + kill)^2 = feed on which the state with v > 0 appears: feed
/// uniform in [0.012, 0.068), kill that of the line - 0.004 to + 0.007, which has all known patterns
/// and their neighbours that die. diffusion_u uniform in [0.14, 0.21), diffusion_v half of it.
/// Seeds, one kind a sample: 1-12 squares, 1-12 discs, 1-3 stripes, or a smooth random field cut at a
/// random level.
SimulationStart draw_start(uint64_t seed, int64_t sample, std::span<float> fields);

/// u = 1, v = 0 but for a square of 12 x 12 in the middle with u = 0.5, v = 0.25, and noise of one
/// percent on both. Source: Pearson 1993.
void pearson_start(uint64_t seed, std::span<float> fields);

}  // namespace tessera
