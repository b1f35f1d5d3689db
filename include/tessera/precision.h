#pragma once

// One number type per build of the numeric sources: `real` is float in the product and double in
// the library `tessera_f64`, which gradient checks and golden tests link. Everything that depends
// on it lives in the inline namespace TESSERA_PRECISION, so both can stand in one program.
#ifdef TESSERA_DOUBLE
#define TESSERA_PRECISION f64
#else
#define TESSERA_PRECISION f32
#endif

namespace tessera::inline TESSERA_PRECISION {
#ifdef TESSERA_DOUBLE
using real = double;
#else
using real = float;
#endif
}  // namespace tessera::inline TESSERA_PRECISION
