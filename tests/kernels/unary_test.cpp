#include "tessera/kernels/unary.h"

#include <limits>

#include "tessera/tensor.h"
#include "testing/backends.h"
#include "testing/determinism.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::kNan;

double value(UnaryOp op, double x) {
  const double cubic = 0.7978845608028654 * (x + 0.044715 * x * x * x);
  switch (op) {
    case UnaryOp::Identity:
      return x;
    case UnaryOp::Relu:
      return std::max(x, 0.0);
    case UnaryOp::Tanh:
      return std::tanh(x);
    case UnaryOp::Sigmoid:
      return 1 / (1 + std::exp(-x));
    case UnaryOp::Silu:
      return x / (1 + std::exp(-x));
    case UnaryOp::Gelu:
      return 0.5 * x * (1 + std::tanh(cubic));
  }
  return 0;
}

double slope(UnaryOp op, double x) {
  const double s = 1 / (1 + std::exp(-x)), t = std::tanh(x);
  const double g = std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x));
  switch (op) {
    case UnaryOp::Identity:
      return 1;
    case UnaryOp::Relu:
      return x > 0;
    case UnaryOp::Tanh:
      return 1 - t * t;
    case UnaryOp::Sigmoid:
      return s * (1 - s);
    case UnaryOp::Silu:
      return s * (1 + x * (1 - s));
    case UnaryOp::Gelu:
      return 0.5 * (1 + g) +
             0.5 * x * (1 - g * g) * 0.7978845608028654 * (1 + 3 * 0.044715 * x * x);
  }
  return 0;
}

/// Numbers up to 90 in size, dense near 0, with an odd count so that vectors have a rest.
std::vector<float> inputs() {
  std::vector<float> x = testing::uniform<float>(5001, 1, -1, 1);
  for (size_t i = 0; i < x.size(); ++i) x[i] *= i % 3 == 0 ? 90.0f : (i % 3 == 1 ? 8.0f : 0.3f);
  x.insert(x.end(), {0.0f, -0.0f, 1e-30f, -1e-30f});
  return x;
}

class UnaryKernelTest : public testing::BackendTest {
 protected:
  Tensor upload(const std::vector<float>& values) {
    return Tensor::from_host(1, static_cast<int64_t>(values.size()), values, device());
  }
  std::vector<float> run(UnaryOp op, const std::vector<float>& x) {
    const Tensor from = upload(x);
    Tensor to = upload(std::vector<float>(x.size(), kNan));
    on_device(device(), [&](auto& context) {
      unary(context, {.op = op, .x = from.flat(), .y = to.mutable_flat()});
    });
    return to.to_host();
  }
  std::vector<float> run_grad(UnaryOp op, const std::vector<float>& x, const std::vector<float>& dy,
                              const std::vector<float>& dx, float beta) {
    const Tensor from = upload(x), y = upload(run(op, x)), upstream = upload(dy);
    Tensor to = upload(dx);
    on_device(device(), [&](auto& context) {
      unary_grad(context, {.op = op,
                           .x = from.flat(),
                           .y = y.flat(),
                           .dy = upstream.flat(),
                           .dx = to.mutable_flat(),
                           .beta = beta});
    });
    return to.to_host();
  }
};
TESSERA_FOR_EACH_BACKEND(UnaryKernelTest);

TEST_P(UnaryKernelTest, ValuesMatchTheFormulas) {
  const std::vector<float> x = inputs();
  for (const UnaryOp op : kUnaryOps) {
    SCOPED_TRACE(name_of(op));
    std::vector<double> expected;
    for (const float value_at : x) expected.push_back(value(op, value_at));
    // exp, tanh and a division: 4e-7 relative. gelu subtracts: its flat end is exact to 1e-6.
    testing::expect_close(run(op, x), expected, 5e-7, op == UnaryOp::Gelu ? 4 : 1e-3);
  }
}

TEST_P(UnaryKernelTest, SlopesMatchTheFormulas) {
  const std::vector<float> x = inputs();
  const std::vector<float> dy = testing::uniform<float>(static_cast<int64_t>(x.size()), 2);
  for (const UnaryOp op : kUnaryOps) {
    SCOPED_TRACE(name_of(op));
    std::vector<double> expected;
    for (size_t i = 0; i < x.size(); ++i) expected.push_back(dy[i] * slope(op, x[i]));
    // 1 - y^2 and the like cancel: absolute, a few units of 2^-24 times |x| <= 4 where they do.
    testing::expect_close(run_grad(op, x, dy, std::vector<float>(x.size(), kNan), 0), expected,
                          2e-6);
  }
}

TEST_P(UnaryKernelTest, SlopesAddToWhatIsThere) {
  const std::vector<float> x = inputs();
  const auto n = static_cast<int64_t>(x.size());
  const auto dy = testing::uniform<float>(n, 2), old = testing::uniform<float>(n, 3);
  for (const UnaryOp op : kUnaryOps) {
    const auto alone = run_grad(op, x, dy, std::vector<float>(x.size(), kNan), 0);
    std::vector<double> expected;
    for (size_t i = 0; i < x.size(); ++i) expected.push_back(double(old[i]) + alone[i]);
    testing::expect_close(run_grad(op, x, dy, old, 1), expected, 2e-7);
  }
}

TEST_P(UnaryKernelTest, SlopesMayBeScaledAndTakeThePlaceOfWhatCame) {
  const std::vector<float> x = inputs();
  const auto dy = testing::uniform<float>(static_cast<int64_t>(x.size()), 2);
  for (const UnaryOp op : kUnaryOps) {
    const Tensor from = upload(x), y = upload(run(op, x));
    Tensor both = upload(dy);
    on_device(device(), [&](auto& context) {
      unary_grad(context, {.op = op,
                           .x = from.flat(),
                           .y = y.flat(),
                           .dy = both.flat(),
                           .dx = both.mutable_flat(),
                           .scale = 4});
    });
    std::vector<float> four = dy;
    for (float& value : four) value *= 4;  // exact
    EXPECT_EQ(both.to_host(), run_grad(op, x, four, std::vector<float>(x.size(), kNan), 0))
        << name_of(op);
  }
}

TEST_P(UnaryKernelTest, NanComesOutAsNan) {
  for (const UnaryOp op : kUnaryOps)
    for (const float y : run(op, std::vector<float>(17, kNan)))
      EXPECT_TRUE(std::isnan(y)) << name_of(op);
}

TEST_P(UnaryKernelTest, InfinityEndsWhereTheFormulaDoes) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const std::vector<float> ends = {kInf, -kInf};
  EXPECT_EQ(run(UnaryOp::Relu, ends), (std::vector<float>{kInf, 0}));
  EXPECT_EQ(run(UnaryOp::Tanh, ends), (std::vector<float>{1, -1}));
  EXPECT_EQ(run(UnaryOp::Sigmoid, ends), (std::vector<float>{1, 0}));
}

TEST(UnaryKernelCpuTest, HasTheSameBitsForAnyThreadsAndInstructions) {
  const std::vector<float> x =
      testing::uniform<float>(70001, 4, -20, 20);  // three pieces and a rest
  for (const UnaryOp op : kUnaryOps)
    testing::expect_same_bits_everywhere([&] {
      std::vector<float> y(x.size()), dx = x;
      const auto n = static_cast<int64_t>(x.size());
      unary(cpu_context(), {.op = op, .x = {x.data(), n}, .y = {y.data(), n}});
      unary_grad(cpu_context(), {.op = op,
                                 .x = {x.data(), n},
                                 .y = {y.data(), n},
                                 .dy = {x.data(), n},
                                 .dx = {dx.data(), n},
                                 .beta = 1});
      y.insert(y.end(), dx.begin(), dx.end());
      return y;
    });
}

}  // namespace
}  // namespace tessera::kernels
