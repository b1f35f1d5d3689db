#pragma once

#include <string>

#include "tessera/checkpoint.h"

namespace tessera {

/// The data a model was trained on, as seen from here: as configured, or relative to the run folder.
/// Throws Error (Data) where they are at neither place.
std::string trained_path(const TrainedModel& model);

/// Rows to measure a model on, and those that a reference may be fitted to.
struct EvaluationRows {
  Dataset set;                     ///< as the model sees them
  Buffer<int32_t> fit, measured;   ///< row numbers; `measured` empty: all rows
  std::string path, which;         ///< the file; "the 1000 validation rows of", "all 500 rows of"
  bool trained_on = false;         ///< the measured rows include rows that trained
  int64_t measured_rows() const { return measured.empty() ? set.rows() : measured.size(); }
};

/// `data` empty: the validation rows of the data the model was trained on (all of them where none were
/// held out); else all rows of `data`, with the training rows of the trained data, where these are
/// here, for the reference.
/// Throws Error (Data) as load_features and model_rows, or, for rows without names, as load_rows and for
/// rows of another width.
EvaluationRows evaluation_rows(const TrainedModel& model, const std::string& data);

}  // namespace tessera
