#pragma once

#include "tessera/data.h"

namespace tessera {

/// The data of a run, split, normalised, on its device.
struct RunData {
  TrainValidation split;
  Normalizer normalizer;
  Dataset set;
  Buffer<int32_t> train, validation;  ///< validation may be empty

  /// Throws Error: Data for files, Config where the model's input size is another.
  static RunData load(const Config& config, Device device);
};

/// The config with sizes that the data decide filled in.
Config with_sizes(Config config, const RunData& data);

}  // namespace tessera
