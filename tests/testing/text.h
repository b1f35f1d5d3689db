#pragma once

#include <string>

namespace tessera::testing {

/// How often `part` stands in `text`, without overlaps.
inline int count_of(const std::string& text, const std::string& part) {
  int found = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++found;
  return found;
}

}  // namespace tessera::testing
