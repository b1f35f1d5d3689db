#pragma once

#include <vector>

#include "tessera/model_features.h"

namespace tessera {

/// Fits means and scales (1 / deviation; 1 where a feature is constant) of grid channels and of the
/// features of series, over some of the rows, evenly spread, and the steps that count. NaN is left out.
/// Returns how many of the values looked at are missing.
int64_t fit_raw_statistics(EncoderInputs& inputs, const RawInputs& raw,
                           const std::vector<int32_t>& training_rows);

/// x' = (x - mean[c]) scale[c], c the column of rows of mean.size() columns, kept within 10 deviations: one
/// wild value would drown the batch statistics of all others. A missing value becomes 0, the mean.
void normalize_raw(std::vector<float>& values, const std::vector<float>& mean,
                   const std::vector<float>& scale);

}  // namespace tessera
