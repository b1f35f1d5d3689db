#pragma once

#include "config/value_rules.h"
#include "tessera/config.h"

namespace tessera::config {

// Rules for keys whose value is a section with keys of the user's own.

/// {<category>: [{code_dim, codebook_size}, ...]}, levels coarse to fine; what is null or left out is
/// inferred.
struct Levels {
  using Value = std::vector<CategoryLevels>;
  int64_t max_dim, max_codes;
  Value read(const ConfigNode& node, const std::string& path) const;
  ConfigNode write(const Value& value) const;
  std::string allowed() const;
};

/// {<family>: {encoder: <name>, encoder_params: {...}}}, in the order of the columns. What an encoder
/// looks at is written in full.
struct Families {
  using Value = std::vector<FamilyConfig>;
  Value read(const ConfigNode& node, const std::string& path) const;
  ConfigNode write(const Value& value) const;
  std::string allowed() const;
};

/// "a:b:c", numbers above 0; or auto; null is the empty text. A list [a, b, c] is read as that text.
struct Ratios {
  using Value = std::string;
  Value read(const ConfigNode& node, const std::string& path) const;
  ConfigNode write(const Value& value) const;
  std::string allowed() const;
};
/// The numbers of "a:b:c".
std::vector<double> ratio_numbers(const std::string& text);

}  // namespace tessera::config
