#pragma once

#include <string_view>
#include <vector>

#include "tessera/tape.h"

namespace tessera::inline TESSERA_PRECISION {

/// What a loss may look at.
struct LossInputs {
  Var prediction, target;  ///< decoder output and its input, [rows, features]
  Var latents, quantized;  ///< encoder output and the hard code rows, [rows, columns]
};

/// A loss by name: its value as [1, 1], differentiable; means over all elements (decisions D8).
using Loss = Var (*)(const LossInputs&);

/// Throws Error (Config) with the known names.
Loss loss_named(std::string_view name);
std::vector<std::string_view> loss_names();

// One file each under src/losses/.
/// mean (prediction - target)^2
Var reconstruction_loss(const LossInputs& in);
/// mean (stop_gradient(latents) - quantized)^2: moves codes. van den Oord et al. 2017, eq. (3).
Var codebook_loss(const LossInputs& in);
/// mean (latents - stop_gradient(quantized))^2: moves the encoder. The same equation.
Var commitment_loss(const LossInputs& in);

}  // namespace tessera::inline TESSERA_PRECISION
