#include "tessera/kernels/elementwise.h"

#include <algorithm>

#include "tessera/kernels/philox.h"
#include "tessera/tensor.h"
#include "testing/backends.h"
#include "testing/determinism.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::kNan;

class ElementwiseKernelTest : public testing::BackendTest {
 protected:
  Tensor upload(const std::vector<float>& values, int64_t rows = 1) {
    return Tensor::from_host(rows, static_cast<int64_t>(values.size()) / rows, values, device());
  }
};
TESSERA_FOR_EACH_BACKEND(ElementwiseKernelTest);

TEST_P(ElementwiseKernelTest, FillWritesEveryElementAndNoOther) {
  for (const int64_t size : {0, 1, 7, 16, 1000, 40000}) {
    Tensor y = upload(std::vector<float>(static_cast<size_t>(size) + 2, kNan));
    on_device(device(), [&](auto& context) {
      fill(context, {.y = {y.mutable_flat().data + 1, size}, .value = 2.5f});
    });
    const std::vector<float> found = y.to_host();
    EXPECT_TRUE(std::isnan(found.front()) && std::isnan(found.back())) << size;
    for (int64_t i = 1; i <= size; ++i) ASSERT_EQ(found[static_cast<size_t>(i)], 2.5f);
  }
}

TEST_P(ElementwiseKernelTest, ScaleAddMatchesItsFormula) {
  const auto x = testing::uniform<float>(40001, 1), y = testing::uniform<float>(40001, 2);
  const Tensor from = upload(x);
  Tensor to = upload(y);
  on_device(device(), [&](auto& context) {
    scale_add(context, {.x = from.flat(), .y = to.mutable_flat(), .alpha = 1.5f, .beta = -0.75f});
  });
  std::vector<double> expected;
  for (size_t i = 0; i < x.size(); ++i) expected.push_back(1.5 * x[i] - 0.75 * y[i]);
  testing::expect_close(to.to_host(), expected, 2e-7);
}

TEST_P(ElementwiseKernelTest, ScaleAddWithBetaZeroOverwritesNan) {
  const auto x = testing::uniform<float>(100, 1);
  const Tensor from = upload(x);
  Tensor to = upload(std::vector<float>(100, kNan));
  on_device(device(), [&](auto& context) {
    scale_add(context, {.x = from.flat(), .y = to.mutable_flat(), .alpha = 1, .beta = 0});
  });
  EXPECT_EQ(to.to_host(), x);
}

TEST_P(ElementwiseKernelTest, ColumnSumsAreExactToOneRounding) {
  for (const auto& [rows, cols] :
       {std::pair{1, 1}, {3, 5}, {257, 1}, {300, 63}, {300, 64}, {300, 65}, {1000, 200}}) {
    SCOPED_TRACE(::testing::Message() << rows << " x " << cols);
    const auto x = testing::uniform<float>(int64_t{rows} * cols, 1, 99, 101);
    const Tensor from = upload(x, rows);
    Tensor to = upload(std::vector<float>(static_cast<size_t>(cols), kNan));
    on_device(device(), [&](auto& context) {
      column_sums(context, {.x = from.view(), .sums = to.mutable_flat(), .beta = 0});
    });
    std::vector<double> expected(static_cast<size_t>(cols));
    for (size_t i = 0; i < x.size(); ++i) expected[i % static_cast<size_t>(cols)] += x[i];
    testing::expect_close(to.to_host(), expected, 6e-8);  // 2^-24
  }
}

TEST_P(ElementwiseKernelTest, ColumnSumsAddToWhatIsThereAndReadOnlyTheirWindow) {
  const std::vector<float> x = {1, 2, 99, 3, 4, 99};  // two columns of a matrix of three
  const Tensor from = upload(x, 2);
  Tensor to = upload({10, 20});
  on_device(device(), [&](auto& context) {
    column_sums(context,
                {.x = {from.view().data, 2, 2, 3}, .sums = to.mutable_flat(), .beta = 0.5f});
  });
  EXPECT_EQ(to.to_host(), (std::vector<float>{9, 16}));
}

TEST_P(ElementwiseKernelTest, ColumnSumsOfNoRowsAreZero) {
  Tensor to = upload({kNan, kNan});
  on_device(device(), [&](auto& context) {
    column_sums(context, {.x = {nullptr, 0, 2, 2}, .sums = to.mutable_flat(), .beta = 0});
  });
  EXPECT_EQ(to.to_host(), (std::vector<float>{0, 0}));
}

TEST(ColumnSumsCpuTest, HaveTheSameBitsForAnyThreadsAndInstructions) {
  const auto x = testing::uniform<float>(500 * 201, 3);
  testing::expect_same_bits_everywhere([&] {
    std::vector<float> sums(201);
    column_sums(cpu_context(),
                {.x = {x.data(), 500, 201, 201}, .sums = {sums.data(), 201}, .beta = 0});
    return sums;
  });
}

/// One use of dropout.
struct Use {
  uint64_t seed = 1, step = 2;
  uint32_t stream = kStreamDropout;
  float rate = 0.3f;
};

class DropoutKernelTest : public ElementwiseKernelTest {
 protected:
  std::vector<float> run(const std::vector<float>& x, const Use& use, float beta = 0,
                         float old = kNan) {
    const StepState host{.seed = use.seed, .step = use.step, .now = {}};
    const auto state = Buffer<StepState>::from_host({&host, 1}, device());
    const Tensor from = upload(x);
    Tensor to = upload(std::vector<float>(x.size(), old));
    on_device(device(), [&](auto& context) {
      dropout(context, {.x = from.flat(),
                        .y = to.mutable_flat(),
                        .state = state.data(),
                        .stream = use.stream,
                        .rate = use.rate,
                        .beta = beta});
    });
    return to.to_host();
  }
};
TESSERA_FOR_EACH_BACKEND(DropoutKernelTest);

TEST_P(DropoutKernelTest, MatchesItsFormula) {
  const auto x = testing::uniform<float>(9001, 1);
  const Use use{.seed = 5, .step = 7, .stream = 1003, .rate = 0.4f};
  std::vector<double> expected;
  for (size_t i = 0; i < x.size(); ++i)
    expected.push_back(random_uniform(5, 1003, 7, i) >= 0.4f ? x[i] / 0.6 : 0);
  testing::expect_close(run(x, use), expected, 2e-7);
}

TEST_P(DropoutKernelTest, KeepsTheShareItSays) {
  constexpr int kDraws = 100000;
  const std::vector<float> ones(kDraws, 1.0f);
  for (const float rate : {0.0f, 0.1f, 0.5f, 0.9f}) {
    const auto y = run(ones, {.rate = rate});
    const auto kept = std::count_if(y.begin(), y.end(), [](float v) { return v != 0; });
    const double deviation = std::sqrt(kDraws * rate * (1.0 - rate));
    EXPECT_NEAR(double(kept), kDraws * (1.0 - rate), 5 * deviation) << rate;
  }
}

TEST_P(DropoutKernelTest, DependsOnSeedStreamAndStepAlone) {
  const std::vector<float> ones(1000, 1.0f);
  const auto base = run(ones, {});
  EXPECT_EQ(base, run(ones, {}));
  EXPECT_NE(base, run(ones, {.seed = 9}));
  EXPECT_NE(base, run(ones, {.step = 9}));
  EXPECT_NE(base, run(ones, {.stream = 9}));
}

TEST_P(DropoutKernelTest, AnElementsDrawDoesNotDependOnHowManyThereAre) {
  const auto few = run(std::vector<float>(10, 1.0f), {});
  const auto many = run(std::vector<float>(20000, 1.0f), {});
  EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
}

TEST_P(DropoutKernelTest, DroppedElementsAreZeroWhateverTheyWere) {
  const auto y = run(std::vector<float>(200, kNan), {.rate = 0.5f});
  EXPECT_GT(std::count(y.begin(), y.end(), 0.0f), 50);
}

TEST_P(DropoutKernelTest, AddsToWhatIsThereWithBeta) {
  const auto x = testing::uniform<float>(500, 1);
  std::vector<double> expected;
  for (const float y : run(x, {})) expected.push_back(y + 3.0);
  testing::expect_close(run(x, {}, 1, 3.0f), expected, 2e-7);
}

}  // namespace
}  // namespace tessera::kernels
