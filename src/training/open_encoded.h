#pragma once

#include <optional>
#include <string>

#include "tessera/checkpoint.h"
#include "training/encoded_rows.h"

namespace tessera {

/// What becomes of rows that were never filled.
enum class Unfilled { Drop, Keep };

/// A data set as the encoders of a trained model read it.
/// Throws Error (Data), naming the first feature that is missing, and for grids or series of another
/// shape than those it was trained on.
EncodedRows open_encoded_rows(const TrainedModel& trained, const std::string& path,
                              std::optional<int64_t> max_rows, Unfilled unfilled);

}  // namespace tessera
