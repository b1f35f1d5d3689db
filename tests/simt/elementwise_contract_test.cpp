#include <cmath>

#include "tessera/kernels/elementwise.h"
#include "tessera/kernels/philox.h"
#include "tessera/kernels/unary.h"
#include "testing/backends.h"
#include "testing/guarded.h"
#include "testing/numbers.h"

namespace tessera {
namespace {

using testing::expect_near;
using testing::Guarded;
using testing::kSizes;
using testing::random_values;

using testing::kUlp;

class ElementwiseContractTest : public testing::BackendTest {};
TESSERA_FOR_EACH_BACKEND(ElementwiseContractTest);

TEST_P(ElementwiseContractTest, FillWritesEveryValueAndNoOther) {
  for (const int64_t size : kSizes) {
    auto y = Guarded<float>::out(size, device());
    run([&](auto& context) { kernels::fill(context, {y.vector(), 2.5f}); });
    EXPECT_EQ(y.values(), std::vector<float>(size, 2.5f)) << size;
  }
}

TEST_P(ElementwiseContractTest, ScaleAddWithBetaZeroIgnoresWhatWasThere) {
  for (const int64_t size : kSizes) {
    const std::vector<float> x = random_values(size, 1);
    Guarded<float> x_in(x, device()), y(std::vector<float>(size, NAN), device());
    run([&](auto& context) {
      kernels::scale_add(context, {.x = x_in.view(), .y = y.vector(), .alpha = 0.5f, .beta = 0});
    });
    const std::vector<float> actual = y.values();
    for (int64_t i = 0; i < size; ++i) ASSERT_EQ(actual[i], 0.5f * x[i]) << i << " of " << size;
  }
}

// One fused multiply-add on top of one product.
TEST_P(ElementwiseContractTest, ScaleAddAddsScaledValues) {
  for (const int64_t size : kSizes) {
    const std::vector<float> x = random_values(size, 1), old = random_values(size, 2);
    Guarded<float> x_in(x, device()), y(old, device());
    run([&](auto& context) {
      kernels::scale_add(context, {.x = x_in.view(), .y = y.vector(), .alpha = 3, .beta = 0.7f});
    });
    const std::vector<float> actual = y.values();
    for (int64_t i = 0; i < size; ++i)
      ASSERT_EQ(actual[i], std::fma(3.0f, x[i], 0.7f * old[i])) << i << " of " << size;
  }
}

// The sum is binary64 whatever its order, so one rounding to float remains.
TEST_P(ElementwiseContractTest, ColumnSumsAddRowsInBinary64) {
  for (const int64_t rows : {0, 1, 2, 31, 64, 65, 130, 500})
    for (const int64_t cols : {1, 7, 8, 9, 33}) {
      const std::vector<float> x = random_values(rows * cols, 3), old = random_values(cols, 4);
      for (const float beta : {0.0f, 1.0f}) {
        Guarded<float> x_in(x, rows, cols, device());
        Guarded<float> sums(beta == 0 ? std::vector<float>(cols, NAN) : old, device());
        run([&](auto& context) {
          kernels::column_sums(context,
                               {.x = x_in.matrix_view(), .sums = sums.vector(), .beta = beta});
        });
        std::vector<double> expected(cols);
        for (int64_t c = 0; c < cols; ++c) {
          for (int64_t n = 0; n < rows; ++n) expected[c] += double(x[n * cols + c]);
          if (beta != 0) expected[c] += double(old[c]);
        }
        expect_near(sums.values(), expected, kUlp, 0);
      }
    }
}

TEST_P(ElementwiseContractTest, DropoutFollowsPhilox) {
  const auto state = Buffer<StepState>::from_host(
      std::vector<StepState>{{.seed = 99, .step = 7, .now = {}}}, device());
  for (const int64_t size : kSizes)
    for (const float beta : {0.0f, 1.0f}) {
      const std::vector<float> x = random_values(size, 5), old = random_values(size, 6);
      Guarded<float> x_in(x, device()), y(old, device());
      run([&](auto& context) {
        kernels::dropout(context, {.x = x_in.view(),
                                   .y = y.vector(),
                                   .state = state.data(),
                                   .stream = 1003,
                                   .rate = 0.3f,
                                   .beta = beta});
      });
      const std::vector<float> actual = y.values();
      const float scale = 1 / (1 - 0.3f);
      for (int64_t i = 0; i < size; ++i) {
        const bool keep = kernels::random_uniform(99, 1003, 7, static_cast<uint64_t>(i)) >= 0.3f;
        const float value = keep ? x[i] * scale : 0;
        ASSERT_EQ(actual[i], beta == 0 ? value : old[i] + value) << i << " of " << size;
      }
    }
}

double exact(kernels::UnaryOp op, double x) {
  switch (op) {
    case kernels::UnaryOp::Identity:
      return x;
    case kernels::UnaryOp::Relu:
      return x > 0 ? x : 0;
    case kernels::UnaryOp::Tanh:
      return std::tanh(x);
    case kernels::UnaryOp::Sigmoid:
      return 1 / (1 + std::exp(-x));
    case kernels::UnaryOp::Silu:
      return x / (1 + std::exp(-x));
    case kernels::UnaryOp::Gelu:
      return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
  }
  return 0;
}
double slope(kernels::UnaryOp op, double x) {
  constexpr double kStep = 1e-6;
  return (exact(op, x + kStep) - exact(op, x - kStep)) / (2 * kStep);
}

// Float formulas with an exponential of relative error 2e-7 and a few operations around it.
TEST_P(ElementwiseContractTest, ActivationsMatchTheirDefinitions) {
  for (const kernels::UnaryOp op : kernels::kUnaryOps)
    for (const int64_t size : kSizes) {
      const std::vector<float> x = random_values(size, 7, 3);
      Guarded<float> x_in(x, device());
      auto y = Guarded<float>::out(size, device());
      run([&](auto& context) {
        kernels::unary(context, {.op = op, .x = x_in.view(), .y = y.vector()});
      });
      std::vector<double> expected;
      for (const float value : x) expected.push_back(exact(op, value));
      expect_near(y.values(), expected, 4e-6);
    }
}

TEST_P(ElementwiseContractTest, ActivationGradientsMatchFiniteDifferences) {
  for (const kernels::UnaryOp op : kernels::kUnaryOps)
    for (const float beta : {0.0f, 0.5f}) {
      constexpr int64_t kSize = 1025;
      std::vector<float> x = random_values(kSize, 8, 2);
      for (float& value : x) value += value > 0 ? 0.01f : -0.01f;  // off relu's kink
      std::vector<float> y;
      for (const float value : x) y.push_back(static_cast<float>(exact(op, value)));
      const std::vector<float> dy = random_values(kSize, 9), old = random_values(kSize, 10);
      Guarded<float> x_in(x, device()), y_in(y, device()), dy_in(dy, device());
      Guarded<float> dx(beta == 0 ? std::vector<float>(kSize, NAN) : old, device());
      run([&](auto& context) {
        kernels::unary_grad(context, {.op = op,
                                      .x = x_in.view(),
                                      .y = y_in.view(),
                                      .dy = dy_in.view(),
                                      .dx = dx.vector(),
                                      .beta = beta});
      });
      std::vector<double> expected;
      for (int64_t i = 0; i < kSize; ++i)
        expected.push_back(dy[i] * slope(op, x[i]) + (beta == 0 ? 0 : double(beta) * old[i]));
      expect_near(dx.values(), expected, 1e-5);
    }
}

}  // namespace
}  // namespace tessera
