#pragma once

#include <string>

namespace tessera::testing {

// Paths the build knows. One source file has them, so that the objects of all others are the same
// wherever the checkout lies, and a compiler cache serves every copy of it.
extern const char* const kSourceDir;  ///< the repository
extern const char* const kGoldenDir;  ///< tests/golden
extern const char* const kProgram;    ///< the program `tessera` of this build

/// A file of configs/.
inline std::string shipped_config(const std::string& name) {
  return std::string(kSourceDir) + "/configs/" + name;
}

}  // namespace tessera::testing
