#pragma once

#include "tessera/kernels/host_device.h"
#include "tessera/kernels/views.h"
#include "tessera/precision.h"

namespace tessera::inline TESSERA_PRECISION {
namespace kernels {

/// y[r, c] = x[r, c] + beta y[r, c], for blocks of larger matrices: row lengths (ld) may differ.
/// With beta 0, y may hold anything.
struct CopyBlock {
  MatrixView<const real> x;
  MatrixView<real> y;  // same rows and columns  out (in, out unless beta is 0)
  real beta = 0;
};
void copy_block(CpuContext&, const CopyBlock&);
void copy_block(CudaContext&, const CopyBlock&);

}  // namespace kernels
}  // namespace tessera::inline TESSERA_PRECISION
