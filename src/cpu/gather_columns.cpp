// Chosen columns of a matrix: contracts in tessera/kernels/gather_columns.h.
//
// Mapping    rows over the threads.

#include "tessera/kernels/gather_columns.h"

#include "cpu/cpu_context.h"

namespace tessera::inline TESSERA_PRECISION::kernels {
namespace {
constexpr int64_t kGrain = 16;  // rows: tens of microseconds for a thousand columns
}

void gather_columns(CpuContext& context, const GatherColumns& a) {
  context.parallel_ranges("gather_columns", a.y.rows, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      const real* x = a.x.data + n * a.x.ld;
      real* y = a.y.data + n * a.y.ld;
      for (int64_t t = 0; t < a.y.cols; ++t) y[t] = x[a.columns.data[t]];
    }
  });
}

void gather_columns_grad(CpuContext& context, const GatherColumnsGrad& a) {
  context.parallel_ranges(
      "gather_columns_grad", a.dx.rows, kGrain, [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n)
          for (int64_t i = 0; i < a.dx.cols; ++i) {
            real& out = a.dx.data[n * a.dx.ld + i];
            out = (a.beta == 0 ? real(0) : a.beta * out) + gathered_grad(a, n, i);
          }
      });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
