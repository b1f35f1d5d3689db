#pragma once

// Does learning recover categories that are known? Planted data, several starts, many seeds, and
// controls that must fail.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/config.h"
#include "tessera/console.h"
#include "tessera/device.h"
#include "tessera/experiment.h"

namespace tessera {

/// What a number has to be, in the mean over seeds or on each of them.
struct RecoveryBar {
  std::string number;  ///< a name of RecoveryRun::numbers
  double limit = 0;
  bool at_most = false;  ///< else at least
  bool each = false;     ///< of every seed, not of their mean
};

/// One way to begin and to train.
struct RecoveryCase {
  std::string name, title;
  bool even = false;  ///< data of which correlation sees half (PlantedOptions::even)
  bool misplaced =
      true;  ///< a fifth of the planted features begins in a wrong category; or no start
  int64_t categories = 8;  ///< 8 are planted
  Config config;           ///< without paths, seed and device
  std::vector<RecoveryBar> bars;
};

/// misplaced, blind, random, spare; and reference, hard, which must fail. All train for `epochs`, 0
/// for what they were made for.
std::vector<RecoveryCase> recovery_cases(int64_t epochs = 0);

/// One seed of one case. Adjusted Rand indices are between planted blocks and categories; features
/// that are noise alone are trained like the others and never counted.
///
///   start           the index of the categories that training began with; after a random start, of those
///                   that the stage on the logits alone has found
///   ari             of those at the end, each feature where its logit is largest
///   repaired        share of the misplaced features that ended in their block's category (count_repairs)
///   broken          share of the others that ended elsewhere
///   pruned          the index after plan_pruning() with its default options
///   categories      that pruning leaves
///   clustering      the largest index that a clustering of 1 - |r| into 8 reaches on the same data, of
///                   the linkages ward, average and complete
///   seconds         of the run, data included
/// repaired and broken are missing after a random start.
struct RecoveryRun {
  std::string name;
  uint64_t seed = 0;
  std::map<std::string, double> numbers;
};

struct RecoveryOptions {
  std::vector<std::string> cases = {};  ///< some names of recovery_cases(); empty: all
  uint64_t first_seed = 0;              ///< of data, start, net and batches alike
  int64_t seeds = 5;
  int64_t samples = 4000;
  int64_t epochs = 0;  ///< 0: as the case says
  Device device = {};
  std::string outdir;
  bool fresh = false;  ///< repeat runs that the folder already holds
};

struct RecoveryVerdict {
  RecoveryBar bar;
  double found = 0;  ///< the mean, or the worst seed
  bool met = false;
};
struct RecoverySummary {
  RecoveryCase from;
  std::map<std::string, SeedStatistics> numbers;
  std::vector<RecoveryVerdict> verdicts;
};

struct RecoveryOutcome {
  std::vector<RecoveryRun> runs;  ///< ordered by case, then seed
  std::vector<RecoverySummary> cases;
  bool interrupted = false;  ///< some runs are missing; the same call goes on
};

/// A category for each planted feature, wrong for a fifth of them, and the noise dealt out in turn, so
/// that no category is empty. Throws Error (Usage) for fewer categories than blocks.
std::vector<int32_t> misplaced_start(const std::vector<int32_t>& block_of, int64_t categories,
                                     uint64_t seed);

/// Trains every seed of every case, as `tessera train` would, in <outdir>/work, which is gone
/// afterwards; on the CPU side by side on the threads in use, with the same bits for any number of
/// them. Each finished run is appended to <outdir>/runs.jsonl at once; runs of the same settings that
/// are already there are not repeated.
/// Throws Error: Usage for bad options, Data for a folder that cannot be written.
RecoveryOutcome run_recovery(const RecoveryOptions& options, Console& console);

/// The statistics of one case, and which of its bars they meet.
RecoverySummary summarize_recovery(const RecoveryCase& from, const std::vector<RecoveryRun>& runs);

/// Mean, spread and every seed, then a line for each bar.
std::string recovery_table(const RecoveryOutcome& outcome);

/// Writes summary.json, table.txt, recovery.svg, recovery.png, report.html and <case>.yaml, the config
/// that a case trained with.
void write_recovery_results(const RecoveryOutcome& outcome, const RecoveryOptions& options);

}  // namespace tessera
