#pragma once

#include <string>

#include "tessera/model_features.h"

namespace tessera {

/// One line of JSON and back. Throws Error (Data) naming `source` for anything else.
std::string to_json(const EncoderInputs& inputs);
EncoderInputs encoder_inputs_from_json(const std::string& text, const std::string& source);

}  // namespace tessera
