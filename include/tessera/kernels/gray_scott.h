#pragma once

#include <cstdint>

#include "tessera/kernels/host_device.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// Cells along one edge of a field. It is a constant so that a row is a whole number of vectors and
/// a sample with both species stays in the first-level cache of a core.
inline constexpr int64_t kGraySide = 64;
inline constexpr int64_t kGrayCells = kGraySide * kGraySide;

/// Rates per step and per cell: distances are cells, one step is one unit of time.
struct GrayScottRates {
  real feed, kill, diffusion_u, diffusion_v;
};

/// What is measured in each recorded frame, in the order of the output. u, v: the two fields;
/// <> mean over cells; s the standard deviation of v (population); E(r) the power of v at integer
/// radius r, r = round(|wave vector|) in waves per edge, where every component is below 32.
enum FrameFeature : int {
  kFrameVMean,      ///< <v>
  kFrameVStd,       ///< s
  kFrameVSkewness,  ///< <(v - <v>)^3> / s^3; this and the next are 0 where s^2 < 1e-10
  kFrameVKurtosis,  ///< <(v - <v>)^4> / s^4 - 3
  kFrameVMin,
  kFrameVMax,
  kFrameUMean,
  kFrameUStd,
  kFrameUMin,
  kFrameUMax,
  kFrameCorrelation,     ///< correlation of u and v; 0 where a variance is below 1e-10
  kFrameReaction,        ///< <u v^2>
  kFrameGradientMean,    ///< <|g|>, g the central differences of v
  kFrameGradientMax,     ///< max |g|
  kFrameGradientEnergy,  ///< <|g|^2>
  kFrameAnisotropy,      ///< sqrt((<gx^2> - <gy^2>)^2 + 4 <gx gy>^2) / <|g|^2>; 0 where that is 0
  kFrameLaplacian,       ///< sqrt(<(sum of 4 neighbours - 4 v)^2>)
  kFrameActiveArea,      ///< share of active cells, v > 0.15
  kFrameHighArea,        ///< share of cells with v > 0.25
  kFrameFrontLength,     ///< pairs of neighbours of which one is active, per cell
  kFrameFrontDirection,  ///< (pairs in a row - pairs in a column) / both; 0 without fronts
  kFrameEuler,           ///< Euler number of the active cells (4 neighbours) on the torus
  kFrameEntropy,         ///< entropy of v in 32 bins over [0, 0.5), the last one open, over log 32
  kFrameBand0,           ///< share of sum E in radius 1-2; the next: 3-4, 5-6, 7-8, 9-11, 12-15,
  kFrameCentroid = kFrameBand0 + 8,  ///< 16-22, 23-44. Then sum r E / sum E, in waves per edge
  kFrameSpectralEntropy,             ///< entropy of E / sum E over log 44
  kFrameWavelength,  ///< 64 / r*, r* the mean of r over the largest E and its two neighbours;
                     ///< all spectral features are 0 where s^2 < 1e-10
  kFrameChangeMean,  ///< <|v - v of the frame before|>; before the first: the initial field
  kFrameChangeRms,   ///< sqrt(<(v - v of the frame before)^2>)
  kFrameFeatures
};

/// Runs the Gray-Scott reaction on a torus and measures it:
///
///   u' = u + du L u - u v^2 + feed (1 - u)
///   v' = v + dv L v + u v^2 - (feed + kill) v      v' below 1e-15 becomes 0
///
/// with L the sum of the 4 neighbours minus 4 times the cell, forward Euler. 4 du, 4 dv and
/// feed + kill + 4 dv must be at most 1. Frame t is the state after (t + 1) steps_per_frame steps.
///
/// In `real` with explicit multiply-adds and sums in 16 virtual lanes: the same bits for every
/// number of threads and, on the CPU, every instruction set.
/// Source: Pearson 1993, "Complex patterns in a simple system", Science 261.
struct GrayScott {
  real* fields;  // [samples, 2, 64, 64]  in: u, v at the start; out: after the last frame
  const GrayScottRates* rates;  // [samples]
  const int32_t* lengths;  // [samples], frames of each sample, 0 to `frames`; null: all of them
  real* features;          // [samples, frames, kFrameFeatures]  out; 0 beyond the length
  int64_t samples, frames, steps_per_frame;
};
void gray_scott(CpuContext&, const GrayScott&);  // src/cpu/gray_scott.cpp

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
