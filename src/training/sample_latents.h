#pragma once

#include <span>

#include "tessera/batch.h"
#include "tessera/tokenizer.h"

namespace tessera {

/// Which rows are drawn: another purpose or number, other rows.
enum class SamplePurpose : uint64_t { FirstCodebook = 0, DeadCodes = uint64_t{1} << 31 };

/// Latents of `rows` of the rows `train`, or of all where there are fewer, drawn without repetition;
/// in evaluation. [rows, latent columns]
/// number  below 2^31: of the two a permutation takes 32 bits
Tensor sample_latents(Tokenizer& model, const RowSource& source, std::span<const int32_t> train,
                      int64_t rows, uint64_t seed, SamplePurpose purpose, uint64_t number = 0);

}  // namespace tessera
