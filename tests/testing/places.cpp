#include "testing/places.h"

namespace tessera::testing {

const char* const kSourceDir = TESSERA_SOURCE_DIR;
const char* const kGoldenDir = TESSERA_GOLDEN_DIR;
const char* const kProgram = TESSERA_PROGRAM;

}  // namespace tessera::testing
