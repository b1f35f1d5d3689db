#pragma once

#include <memory>
#include <optional>

#include "tessera/console.h"
#include "tessera/data.h"
#include "tessera/model_features.h"
#include "training/encoded_rows.h"

namespace tessera {

/// Rows as a model sees them at a moment; `rows` empty: all of the source.
struct RowsNow {
  std::optional<Dataset> encoded;  ///< what the source reads, where encoders made it
  RowSource source;
  Buffer<int32_t> rows;
};

/// The data of a run, split, normalised, on its device.
struct RunData {
  TrainValidation split;
  Normalizer normalizer;
  Dataset set;  ///< where encoders make features: as the untrained ones made them
  Buffer<int32_t> train, validation;          ///< validation may be empty
  ModelFeatures features;                     ///< empty where rows have no names
  ModelConfig model;                          ///< with the sizes that the data decide filled in
  std::shared_ptr<EncodedRows> encoded = {};  ///< where encoders make features; else null
  std::shared_ptr<const StartingEncoders> start = {};

  /// The validation rows, or, where there are none, those that train; series cut to `steps` (0: whole).
  RowsNow validation_now(Tokenizer& model, int64_t steps = 0) const;
  /// Up to `most` of the training rows, drawn by (seed, number).
  RowsNow training_now(Tokenizer& model, int64_t most, uint64_t seed, uint64_t number) const;

  /// Throws Error: Data for files, Config for keys that do not fit them or the kind of model.
  static RunData load(const Config& config, Device device, Console& console);
};

/// Puts the values of the starting encoders into a new model, and fits its normaliser of their outputs.
void start_encoders(const RunData& data, Tokenizer& model);

/// The config with sizes that the data decide filled in.
Config with_sizes(Config config, const RunData& data);

}  // namespace tessera
