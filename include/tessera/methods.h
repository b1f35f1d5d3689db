#pragma once

// The quantization-methods lab: ways to train one small quantizer, on data of which the best is known.
//
//   x -> z = W x -> q = nearest row of E -> xhat = W^T q      W [m, D] with orthonormal rows, E [K, m]
//
// A method is one file in src/methods/ and one row in its registry.cpp. All methods of a comparison
// share one LabProblem: data, start and batches.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/tensor.h"

namespace tessera::inline TESSERA_PRECISION {

/// What a comparison is about. Names in comments are the flags of `tessera experiment`.
struct LabSettings {
  int64_t data_dim = 64;                         ///< D: features of a row
  int64_t rank = 6;                              ///< directions in which the data vary
  int64_t latent_dim = 4;                        ///< m
  int64_t codebook_size = 32;                    ///< K
  int64_t train_rows = 20000, eval_rows = 4000;  ///< n_train, n_eval
  double noise_variance = 0;                     ///< added to every feature
  int64_t steps = 200, batch = 1024;
  double codebook_weight = 1.0;     ///< alpha
  double commitment_weight = 0.25;  ///< beta
  double encoder_rate = 0.08;       ///< lrW, learning rate of W
  double codebook_rate = 0.2;       ///< lrE, learning rate of E
  int64_t lloyd_iterations = 30;    ///< of the baseline
  int64_t log_interval = 20;        ///< steps between measurements
  uint64_t seed = 0;
  /// fair: every method starts from the baseline's own result. reference: gradient methods start from
  /// 20 Lloyd iterations on the first 8000 rows, as in the program this comparison comes from.
  std::string start = "fair";
};

/// Throws Error (Usage) with one sentence for values that make no comparison.
void check_lab_settings(const LabSettings& settings);

/// On rows that trained nothing.
struct LabMetrics {
  double recon_mse = 0;      ///< mean over rows of |x - xhat|^2, summed over D
  double in_sub_dist = 0;    ///< mean over rows of |z - q|^2, summed over m
  double usage_entropy = 0;  ///< -sum p ln p of the codes' shares, nats, at most ln K
  double dead_frac = 0;      ///< share of codes that no row chose
};

/// Terms of the loss on one batch, each with its weight.
struct LabLosses {
  double rec = 0, codebook = 0, commit = 0;
};

struct LabLogEntry {
  int64_t step = 0;
  LabLosses losses;    ///< of the batch, before this step's update; NaN at step 0, the start
  LabMetrics metrics;  ///< after it
};

/// Data, start and batches that the methods of one comparison share.
struct LabProblem {
  LabSettings settings;
  Device device;
  Tensor train, eval;                  ///< [rows, D], persistent
  std::vector<double> encoder;         ///< W at the start, [m, D]: leading principal directions
  std::vector<double> lloyd_codebook;  ///< E of the baseline, [K, m]
  std::vector<double> start_codebook;  ///< E that gradient methods start from, [K, m]
  /// Fills in the rows of training batch `step` (from 1).
  std::function<void(int64_t step, std::span<int32_t> rows)> draw_batch;
};

/// Data of the settings' seed: N(0, U diag(lambda) U^T + noise I), U random with orthonormal columns,
/// lambda in geometric steps from 4 to 0.25. Then PCA and k-means++ with Lloyd iterations.
/// Deterministic for any thread count. Throws as check_lab_settings.
LabProblem make_lab_problem(const LabSettings& settings, Device device);

struct LabResult {
  LabMetrics metrics;
  std::vector<LabLogEntry> log;  ///< empty for methods without steps
  std::vector<double> encoder;   ///< W [m, D]
  std::vector<double> codebook;  ///< E [K, m]
  int64_t diverged_at = 0;       ///< step with values that are not finite; 0: none. Metrics are NaN
};

struct LabMethod {
  std::string_view name;   ///< its key in files and flags: "ste_autograd"
  std::string_view title;  ///< in tables and pictures: "Autograd STE"
  bool has_steps;          ///< trained in steps, so it has curves
  LabResult (*train)(const LabProblem& problem);
};

/// All methods; the first is the baseline that the others are compared with.
std::span<const LabMethod> lab_methods();
/// A method of lab_methods(), or the control no_gradient, to whose latents nothing comes back from the
/// decoder; it runs in `experiment accept` alone.
/// Throws Error (Usage) with the known names.
const LabMethod& lab_method(std::string_view name);

}  // namespace tessera::inline TESSERA_PRECISION
