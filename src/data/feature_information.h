#pragma once

#include <span>

namespace tessera {

/// How much a column without NaN says: entropy times spread times share of ordinary values, as
/// fit_cleaning in tessera/cleaning.h defines it.
double feature_information(std::span<const float> column);

}  // namespace tessera
