#pragma once

#include <string>

#include "config/config_node.h"

namespace tessera::config {

inline constexpr size_t kMaxConfigBytes = size_t{1} << 20;

enum class Lines { Counted, Hidden };

/// Reads one YAML document of at most 1 MiB, UTF-8. `source` stands before the line in messages;
/// Lines::Hidden leaves the line out, as for the value of an override.
///
/// Less than YAML: no anchors, aliases, tags or second document; keys are unique text.
/// Throws Error (Config) for whatever is not that, whatever the bytes.
ConfigNode read_yaml(const std::string& text, const std::string& source,
                     Lines lines = Lines::Counted);

}  // namespace tessera::config
