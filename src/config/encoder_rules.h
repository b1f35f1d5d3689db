#pragma once

#include <string>
#include <vector>

#include "config/value_rules.h"
#include "tessera/encoder_params.h"

namespace tessera::config {

/// The key of an encoder by its key or an alias.
Choice encoder_choice();

/// Keys of encoder_params that `encoder` looks at; empty: it has no parameters.
std::vector<std::string> encoder_param_names(const std::string& encoder);

/// families.<name>.encoder_params of one encoder: its keys alone, without contradictions.
struct EncoderParamsOf {
  using Value = EncoderParams;
  std::string encoder;
  Value read(const ConfigNode& node, const std::string& path) const;
  ConfigNode write(const Value& value) const;
  std::string allowed() const;
};

/// The section variable_length of encoders of series.
struct VariableLength {
  using Value = VariableLengthParams;
  Value read(const ConfigNode& node, const std::string& path) const;
  ConfigNode write(const Value& value) const;
  std::string allowed() const;
};

}  // namespace tessera::config
