#pragma once

#include "tessera/console.h"
#include "tessera/data.h"
#include "tessera/model_features.h"

namespace tessera {

/// The data of a run, split, normalised, on its device.
struct RunData {
  TrainValidation split;
  Normalizer normalizer;
  Dataset set;
  Buffer<int32_t> train, validation;  ///< validation may be empty
  ModelFeatures features;             ///< empty where rows have no names
  ModelConfig model;                  ///< with the sizes that the data decide filled in

  /// Throws Error: Data for files, Config for keys that do not fit them or the kind of model.
  static RunData load(const Config& config, Device device, Console& console);
};

/// The config with sizes that the data decide filled in.
Config with_sizes(Config config, const RunData& data);

}  // namespace tessera
