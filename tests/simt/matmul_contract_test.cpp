#include <cmath>

#include "tessera/kernels/matmul.h"
#include "testing/backends.h"
#include "testing/guarded.h"

namespace tessera {
namespace {

using kernels::Transpose;
using testing::Guarded;
using testing::random_values;

struct Shape {
  int64_t m, n, k;
};

class MatmulContractTest : public testing::BackendTest {
 protected:
  void check(const Shape& shape, Transpose ta, Transpose tb, float beta, bool has_bias) {
    const auto [m, n, k] = shape;
    const std::vector<float> a = random_values(m * k, 1), b = random_values(k * n, 2);
    const std::vector<float> old = random_values(m * n, 3), bias = random_values(n, 4);
    const bool at = ta == Transpose::Yes, bt = tb == Transpose::Yes;
    Guarded<float> a_in(a, at ? k : m, at ? m : k, device());
    Guarded<float> b_in(b, bt ? n : k, bt ? k : n, device());
    Guarded<float> c(beta == 0 ? std::vector<float>(m * n, NAN) : old, m, n, device());
    Guarded<float> bias_in(bias, device());
    run([&](auto& context) {
      kernels::matmul(context, {.a = a_in.matrix_view(),
                                .b = b_in.matrix_view(),
                                .c = c.matrix(),
                                .ta = ta,
                                .tb = tb,
                                .beta = beta,
                                .bias = has_bias ? bias_in.view() : VectorView<const float>{}});
    });
    const std::vector<float> actual = c.values();
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double sum = (has_bias ? bias[j] : 0) + (beta == 0 ? 0 : double(old[i * n + j]));
        double size = std::abs(sum);  // of what went in: a sum of k terms is within (k + 2) 2^-24
        for (int64_t p = 0; p < k; ++p) {
          const double term = double(a[at ? p * m + i : i * k + p]) * b[bt ? j * k + p : p * n + j];
          sum += term;
          size += std::abs(term);
        }
        ASSERT_NEAR(actual[i * n + j], sum, static_cast<double>(k + 4) * 0x1p-24 * size)
            << m << " x " << n << " x " << k << " at " << i << ", " << j;
      }
  }
};
TESSERA_FOR_EACH_BACKEND(MatmulContractTest);

TEST_P(MatmulContractTest, AllTransposesAtEveryShape) {
  constexpr Shape kShapes[] = {{1, 1, 1},    {0, 3, 2},    {3, 0, 2},   {31, 33, 32},
                               {32, 32, 32}, {33, 31, 65}, {65, 1, 17}, {1, 67, 5}};
  for (const Shape& shape : kShapes)
    for (const Transpose ta : {Transpose::No, Transpose::Yes})
      for (const Transpose tb : {Transpose::No, Transpose::Yes})
        for (const float beta : {0.0f, 1.0f}) check(shape, ta, tb, beta, false);
}

TEST_P(MatmulContractTest, BiasIsAddedToEveryRow) {
  for (const float beta : {0.0f, 1.0f}) {
    check({33, 31, 20}, Transpose::No, Transpose::Yes, beta, true);
    check({1, 300, 4}, Transpose::No, Transpose::No, beta, true);
  }
}

TEST_P(MatmulContractTest, NothingToSumLeavesBetaCPlusBias) {
  for (const float beta : {0.0f, 1.0f})
    for (const bool has_bias : {false, true})
      check({5, 7, 0}, Transpose::No, Transpose::No, beta, has_bias);
}

}  // namespace
}  // namespace tessera
