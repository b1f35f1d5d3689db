#pragma once

#include "tessera/model_features.h"

namespace tessera {

/// What the config's encoders read of a data set: families as columns and as series, grids.
RawSelection raw_selection(const Config& config);

/// Throws Error (Config), naming the key, where a file of pretrained values cannot be read.
void check_pretrained(const Config& config);

/// Fits the inputs of the config's encoders, makes these, and puts their outputs in place of
/// prepared.matrix, which holds the cleaned columns of the families of rank 2. Fills what PreparedFeatures
/// has of encoders; needs its training rows and `raw`.
/// Throws Error: Data where a family lacks what its encoder reads; Config for encoder_params that do not
/// fit, and for a file of pretrained values that does not.
void encode_features(PreparedFeatures& prepared, const Config& config, Device device,
                     Console& console);

}  // namespace tessera
