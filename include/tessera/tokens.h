#pragma once

#include <string>

#include "tessera/checkpoint.h"
#include "tessera/console.h"

namespace tessera {

struct TokenizeReport {
  int64_t rows = 0, tokens_per_sample = 0;
  double seconds = 0;
};

/// Encodes the rows of `input` (.npy streamed; .npz, IDX read whole) to `output`: .npy of shape
/// [rows, tokens_per_sample] in the smallest unsigned type that holds every code. Beside it,
/// <output stem>.json names category, level and codebook size of each column and the checkpoint.
/// The tokens do not depend on `batch_size` or threads.
/// Throws Error (Data) for rows of another width and for values that are not finite.
TokenizeReport encode_file(TrainedModel& model, const std::string& input, const std::string& output,
                           int64_t batch_size, Console& console);

/// Decodes tokens [rows, tokens_per_sample] to `output`: .npy, float32 [rows, features], in stored
/// units (data of unit range stay in [0, 1]). Throws Error (Data) naming row and column of a token
/// that is no code.
TokenizeReport decode_file(TrainedModel& model, const std::string& tokens, const std::string& output,
                           int64_t batch_size, Console& console);

}  // namespace tessera
