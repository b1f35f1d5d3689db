// Blocks of larger matrices: contract in tessera/kernels/copy_block.h.
//
// Mapping    rows over the threads.

#include "tessera/kernels/copy_block.h"

#include <algorithm>

#include "cpu/cpu_context.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {
constexpr int64_t kGrainValues = 16384;  // of one piece: microseconds
}

void copy_block(CpuContext& context, const CopyBlock& a) {
  const int64_t grain = std::max<int64_t>(1, kGrainValues / std::max<int64_t>(1, a.y.cols));
  context.parallel_ranges("copy_block", a.y.rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const real* __restrict__ x = a.x.data + r * a.x.ld;
      real* __restrict__ y = a.y.data + r * a.y.ld;
      if (a.beta == 0) {
        std::copy(x, x + a.y.cols, y);
      } else {
        for (int64_t c = 0; c < a.y.cols; ++c) y[c] = x[c] + a.beta * y[c];
      }
    }
  });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
