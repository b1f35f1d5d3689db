#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tessera/config.h"
#include "tessera/data.h"
#include "tessera/model_features.h"
#include "tessera/run_progress.h"

namespace tessera {

/// A trained model with what it takes to use it.
struct TrainedModel {
  Config config;
  Normalizer normalizer;
  ModelFeatures features;  ///< empty where the model reads rows without names
  std::unique_ptr<Tokenizer> model;
  std::string path;         ///< the checkpoint file
  uint64_t step = 0, epoch = 0;
  uint32_t crc = 0;         ///< of the file's list of tensor checksums: names its contents
};

/// A complete run at one step boundary.
struct TrainingSnapshot {
  Tokenizer& model;
  TrainingState& state;
  const Normalizer& normalizer;
  const ModelFeatures& features;
  const Config& config;
  RunProgress& progress;
};

/// The quantizer's own options.
QuantizerOptions quantizer_options(const Config& config);

/// Writes everything a run needs to go on, as one safetensors file (decisions D2).
void save_checkpoint(const std::string& path, const TrainingSnapshot& run);

/// Brings `run` to the step of the checkpoint. Throws Error: Data where the file is broken, Config
/// where it holds another model than run.config describes.
void restore_checkpoint(const std::string& path, const TrainingSnapshot& run);

/// What a checkpoint says of its model.
struct CheckpointDescription {
  Config config;
  ModelFeatures features;
};
/// Throws Error (Data).
CheckpointDescription describe_checkpoint(const std::string& path);

/// Loads a model for use. `path` is a checkpoint, or a run folder (its best, else last, checkpoint).
TrainedModel load_model(const std::string& path, Device device);

/// The checkpoint file that `path`, a file or a run folder, stands for.
std::string checkpoint_file(const std::string& path);

/// Step of a checkpoint whose every tensor passes its checksum; nothing where it does not, with the
/// reason in `why`.
std::optional<uint64_t> whole_checkpoint_step(const std::string& path, std::string* why);

/// The whole checkpoint of the highest step in a run folder. Broken ones are named in `skipped`.
std::optional<std::string> newest_checkpoint(const std::string& folder,
                                             std::vector<std::string>& skipped);

}  // namespace tessera
