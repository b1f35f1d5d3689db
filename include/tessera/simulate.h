#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "tessera/feature_data.h"

namespace tessera {

/// Called now and then with samples done and wanted; false ends the work.
using SimulationProgress = std::function<bool(int64_t done, int64_t total)>;

/// A data set of the Gray-Scott reaction (tessera/kernels/gray_scott.h) on 64 x 64 cells.
///
/// Sample i depends on `seed`, `frames`, `steps_per_frame`, `variable_lengths` and i alone, in
/// every bit, whatever the number of threads. Families:
///   initial       [N, 14]          of v at the start, see initial_features()
///   summary       [N, 4 * 36]      mean, standard deviation, last value, trend of each frame feature
///   temporal      [N, frames, 36]  the features of each frame; 0 beyond a sample's length
///   architecture  [N, 6]           feed, kill, diffusion_u, diffusion_v, seed_height, noise_height
/// inputs: u and v at the start, [2, 64, 64]; parameters: the same six numbers.
struct SimulateOptions {
  int64_t samples = 10000;
  uint64_t seed = 0;
  int64_t frames = 256;
  int64_t steps_per_frame = 32;
  bool variable_lengths = false;  ///< 16, 32, 64, 128 or 256 frames, equally often
};

FeatureLayout simulation_layout(const SimulateOptions& options);

/// Samples [first, first + count).
FeatureBlock simulate_samples(const SimulateOptions& options, int64_t first, int64_t count);

/// Simulates everything and writes it, as create_features does. Returns whether it was not ended.
bool simulate(const SimulateOptions& options, const std::string& path,
              const SimulationProgress& progress);

/// Names of the 14 numbers of initial_features(), of the 36 of a frame, and of the summary.
const std::vector<std::string>& initial_feature_names();
const std::vector<std::string>& frame_feature_names();
std::vector<std::string> summary_feature_names();

/// Fourteen numbers about a grid, in binary64 throughout. binary: above the lower median.
///
///   0 cluster_count       log(1 + pixels of `binary` whose 3 x 3 neighbourhood inside the grid is
///                         set and that equal the maximum of that over 5 x 5)
///   1 largest_cluster     sum of maxpool 11 x 11 of binary / (sum of binary + 1e-6), in [0, 1]
///   2 autocorrelation     c = u - mean, sum c (mean of 4 neighbours, 0 outside) / (sum c^2 + 1e-6),
///                         in [-1, 1]
///   3 centroid_distance   from the middle, of the centroid weighted by |u| on [0, 1]^2, over
///                         sqrt(2) / 2, in [0, 1]; 0 where u is 0 everywhere
///   4 dominant_frequency  first largest (to 1e-12) of |rfft2|^2, its flat index / (H (W/2 + 1))
///   5 spectral_centroid   power-weighted mean flat index, + 1e-6 below, / (H (W/2 + 1))
///   6 spectral_slope      minus the slope of log(P + 1e-8) over log(k + 1e-8), + 1e-6 below, k in
///                         cycles per pixel and not 0, in [-5, 5]
///   7 entropy             32 bins from minimum to maximum (+ 1e-8): -sum p log2(p + 1e-10) / 5
///   8 local_variance      unbiased variance, over 8 x 8 patches at stride 4, of the unbiased
///                         variance in each; 0 with fewer than two patches
///   9 complexity          changes along the flattened binary / (H W)
///  10 predictability      |correlation of u with u moved by one column|, + 1e-6 below, in [0, 1]
///  11 density             mean of binary
///  12 gradient            mean Sobel magnitude, 0 outside
///  13 symmetry            mean |correlation of u with u turned by 90, 180, 270 degrees|, + 1e-6
///                         below, in [0, 1]; on grids that are not square by 180 alone
/// grid [height, width], both at least 1.
std::vector<double> initial_features(std::span<const float> grid, int64_t height, int64_t width);

/// A pattern the reaction is known for: Pearson's classes, each with one pair of rates.
struct GrayScottRegime {
  const char* name;  ///< "alpha"
  float feed, kill;
};
std::span<const GrayScottRegime> gray_scott_regimes();

/// One run from Pearson's start, a noisy square in the middle: v after 16,384 steps, and the
/// features of that frame.
struct RegimeRun {
  std::vector<float> v;         ///< [64, 64]
  std::vector<float> features;  ///< 36
};
RegimeRun run_regime(const GrayScottRegime& regime, uint64_t seed = 0);

/// A PNG of the final fields of all regimes, each with name and rates above it.
void write_contact_sheet(const std::string& path, uint64_t seed = 0);

/// Data with known categories: blocks of 25, 22, 18, 15, 12, 10, 10 and 8 features, each made of 2
/// or 3 latent factors u ~ N(0, 1) of its own, x = tanh(1.2 u W) + 0.2 N(0, 1) with unit columns in W,
/// and 12 features that are noise alone; columns permuted, then brought to mean 0 and deviation 1.
/// With `even` every second feature of a block is cos(1.8 u W) + noise: its correlation with the
/// others of its block is nearly 0.
struct PlantedOptions {
  int64_t samples = 4000;
  uint64_t seed = 0;
  bool even = false;
};
struct PlantedData {
  FeatureLayout layout;  ///< one family, "planted"
  FeatureBlock values;
  std::vector<int32_t> block;  ///< of each column; -1 for noise
  std::vector<bool> cosine;    ///< whether a column is one that correlation does not see
};
PlantedData planted_data(const PlantedOptions& options);

}  // namespace tessera
