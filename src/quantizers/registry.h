#pragma once

#include "tessera/quantizer.h"

namespace tessera::inline TESSERA_PRECISION {

using Estimator = Var (*)(const VqTable&, const Var& latents, const Tensor& quantized);
/// Throws Error (Config) with the known names.
Estimator estimator_named(std::string_view name);

// One maker per quantizer, in the file of its name.
std::unique_ptr<Quantizer> make_ema(VqTable, const QuantizerOptions&, ParameterGroup&, Device);
std::unique_ptr<Quantizer> make_gradient(VqTable, const QuantizerOptions&, ParameterGroup&, Device);

}  // namespace tessera::inline TESSERA_PRECISION
