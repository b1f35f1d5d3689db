#pragma once

#include <map>
#include <string>
#include <vector>

#include "tessera/config.h"
#include "tessera/console.h"

namespace tessera {

struct TrainOptions {
  Config config;            ///< checkpoint_dir is the run folder
  std::string resume;       ///< empty: start; "auto": newest checkpoint of the run folder; or a file
  bool overwrite = false;   ///< start anew in a folder that holds a run
};

struct TrainReport {
  std::string folder;
  uint64_t epochs = 0, steps = 0;
  double seconds = 0;        ///< of training, all sessions together
  bool interrupted = false;  ///< by SIGINT or SIGTERM; a checkpoint was written
  std::map<std::string, double> last;  ///< the numbers of the last metrics line
};

/// Trains the dense VQ-VAE that `options.config` describes and writes its run folder:
/// config.resolved.yaml, metrics.jsonl (a line an epoch), history.json, last.safetensors,
/// best.safetensors and, if asked for, step_<n>.safetensors.
///
/// A resumed run ends with the same bits as one that was never stopped.
/// Throws Error: Data for files, Config for what does not fit together, Usage where the folder
/// already holds a run, Numeric for a loss or latent that is not finite.
TrainReport train(const TrainOptions& options, Console& console);

/// What the config resolves to for this data, without training: sizes, parameters, memory and
/// launches of a step.
std::string describe_run(const Config& config);

}  // namespace tessera
