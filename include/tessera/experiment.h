#pragma once

// Experiments of the quantization-methods lab: settings, many seeds, statistics, files and pictures.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/console.h"
#include "tessera/methods.h"

namespace tessera {

/// Values of one quantity over seeds.
struct SeedStatistics {
  double mean = 0;
  double sd = 0;  ///< sample standard deviation (n - 1); NaN for one value
  double se = 0;  ///< sd / sqrt(n)
  std::vector<double> values;
};
SeedStatistics seed_statistics(std::vector<double> values);

/// One setting of an experiment.
struct LabPoint {
  std::string name;                             ///< "K=32"; "" where an experiment has one point
  LabSettings settings;                         ///< `seed` is replaced by each run's
  std::vector<std::string> methods;             ///< the first is the baseline
  std::map<std::string, double> encoder_rates;  ///< methods with another rate than the settings'
};

struct LabExperiment {
  std::string name;   ///< a name of lab_experiment_names()
  std::string title;  ///< for pictures
  std::string axis;   ///< what the points vary; empty for one point
  std::vector<LabPoint> points;
};

/// compare, convergence, codebook, commitment, verification, stress.
std::vector<std::string_view> lab_experiment_names();
/// The experiments of fixed settings by name; `start` as in LabSettings.
/// Throws Error (Usage) with the known names.
LabExperiment lab_experiment(std::string_view name, const std::string& start);
/// One point of the user's own settings.
LabExperiment lab_comparison(const LabSettings& settings, const std::vector<std::string>& methods);

/// One seed of one point.
struct LabRun {
  std::string point;
  uint64_t seed = 0;
  std::map<std::string, LabResult> results;  ///< by method; without encoders and codebooks
};

struct LabOptions {
  std::vector<std::string> methods;  ///< of those the experiment has; empty: all
  uint64_t first_seed = 0;
  int64_t seeds = 1;  ///< first_seed, first_seed + 1, ...
  Device device;
  std::string outdir;  ///< empty: nothing is written
  bool fresh = false;  ///< repeat runs that the folder already holds
};

struct MethodSummary {
  SeedStatistics recon_mse, in_sub_dist, usage_entropy, dead_frac;
  SeedStatistics paired;  ///< 100 (recon_mse / the baseline's - 1), seed by seed; percent
  int64_t diverged = 0;   ///< runs that ended in values that are not finite
};
struct PointSummary {
  LabPoint point;
  std::map<std::string, MethodSummary> methods;
};

struct LabOutcome {
  LabExperiment experiment;
  std::vector<LabRun> runs;  ///< ordered by point, then seed
  std::vector<PointSummary> points;
  bool interrupted = false;  ///< some runs are missing; the same call goes on
};

/// Runs every seed of every point; on the CPU seeds run side by side on the threads in use, with the
/// same bits for any number of them. Each finished run is appended to <outdir>/runs.jsonl at once;
/// runs of the same settings that are already there are not repeated.
/// Throws Error (Usage) for bad settings, Error (Data) for a folder that cannot be written.
LabOutcome run_lab(const LabExperiment& experiment, const LabOptions& options, Console& console);

/// The table of metrics, one for each point.
std::string lab_table(const LabOutcome& outcome);

/// Writes summary.json, the methods' logs, pictures (PNG and SVG) and report.html to the folder.
void write_lab_results(const LabOutcome& outcome, const LabOptions& options);

/// report.html and all_experiments.json of several experiments, each in its own folder of `outdir`.
void write_lab_overview(const std::vector<LabOutcome>& outcomes, const LabOptions& options);

struct LabCheck {
  std::string name, found, wanted;
  bool passed = false;
};
/// The statistical and exact checks of the lab on this build, each printed when it is known.
/// `interrupted` is set where a person ended it before the last.
std::vector<LabCheck> run_lab_acceptance(const LabOptions& options, Console& console,
                                         bool& interrupted);

}  // namespace tessera
