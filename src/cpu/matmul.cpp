// Matrix product: contract and formula in tessera/kernels/matmul.h.
//
// Mapping    a chunk is up to 1024 rows x one panel of two or three vectors of columns. It packs its
//            panel of b into the thread's own memory, where it stays in L1 or L2, and walks the rows
//            tile by tile. a is read in place: in both layouts a tile takes its values by broadcast,
//            and a copy costs more than it saves. Products of few columns: matmul_narrow-inl.h.
// Cost       2*M*N*K flop; packing moves K*N values for each 1024 rows. Bound by multiply-adds:
//            81 to 93 % of an AVX-512 core's measured peak at batch 256 (tessera_bench).
// Exactness  one chain over k for each c; cutting k only stores and reloads c, which is exact.

#define HWY_TARGET_INCLUDE "cpu/matmul.cpp"
#include "cpu/simd_targets.h"
// First the targets, then all else.
#include "cpu/cpu_context.h"
#include "cpu/matmul-inl.h"
#include "cpu/matmul_narrow-inl.h"
#include "tessera/error.h"
#include "tessera/kernels/matmul.h"

HWY_BEFORE_NAMESPACE();
namespace tessera::inline TESSERA_PRECISION::kernels {
namespace HWY_NAMESPACE {

void multiply(ThreadPool& pool, const Matmul& m) {
#if HWY_TARGET != HWY_SCALAR
  if (is_narrow(m)) return multiply_narrow(pool, m);
#endif
  multiply_all(pool, 1, [&](int64_t) -> const Matmul& { return m; });
}

}  // namespace HWY_NAMESPACE
}  // namespace tessera::inline TESSERA_PRECISION::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tessera::inline TESSERA_PRECISION::kernels {

HWY_EXPORT(multiply);

void matmul(CpuContext& context, const Matmul& m) {
  const bool ta = m.ta == Transpose::Yes, tb = m.tb == Transpose::Yes;
  const int64_t rows = ta ? m.a.cols : m.a.rows, k_a = ta ? m.a.rows : m.a.cols;
  const int64_t cols = tb ? m.b.rows : m.b.cols, k_b = tb ? m.b.cols : m.b.rows;
  TESSERA_CHECK(rows == m.c.rows && cols == m.c.cols && k_a == k_b, "matmul: op(a) [", rows, ", ",
                k_a, "] times op(b) [", k_b, ", ", cols, "] into [", m.c.rows, ", ", m.c.cols, "]");
  TESSERA_CHECK(m.beta == 0 || m.beta == 1, "matmul: beta ", m.beta, " is neither 0 nor 1");
  TESSERA_CHECK(m.bias.data == nullptr || m.bias.size == cols, "matmul: bias of ", m.bias.size,
                " for ", cols, " columns");
  context.enqueue("matmul", [&] {
    if (rows > 0 && cols > 0) HWY_DYNAMIC_DISPATCH(multiply)(context.pool(), m);
  });
}

}  // namespace tessera::inline TESSERA_PRECISION::kernels
#endif
