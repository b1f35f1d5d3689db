#include "tessera/kernels/adam.h"

#include "tessera/tensor.h"
#include "testing/backends.h"
#include "testing/determinism.h"

namespace tessera::kernels {
namespace {

/// Adam as its contract says, in double; betas and rates are the floats the kernel gets.
struct Reference {
  std::vector<double> values, first, second;

  void step(const std::vector<float>& grads, const ScheduleRow& now, int group, double epsilon,
            bool clips) {
    double square = 0;
    for (const float g : grads) square += double(g) * g;
    const double norm = now.clip_norm[group];
    const double clip = clips && norm > 0 ? std::min(1.0, norm / std::sqrt(square)) : 1;
    for (size_t i = 0; i < values.size(); ++i) {
      const double g = clip * grads[i];
      first[i] = now.beta1 * first[i] + (1 - double(now.beta1)) * g;
      second[i] = now.beta2 * second[i] + (1 - double(now.beta2)) * g * g;
      values[i] -= now.learning_rate[group] * (first[i] / now.beta1_correction) /
                   (std::sqrt(second[i] / now.beta2_correction) + epsilon);
    }
  }
};

/// The schedule of step t with rate 0.01.
StepState state_of(uint64_t step, float clip_norm = 0) {
  StepState state{.step = step, .now = {}};
  state.now.learning_rate[kCodebookGroup] = 0.01f;
  state.now.clip_norm[kCodebookGroup] = clip_norm;
  state.now.beta1_correction = float(1 - std::pow(double(state.now.beta1), double(step)));
  state.now.beta2_correction = float(1 - std::pow(double(state.now.beta2), double(step)));
  return state;
}

class AdamKernelTest : public testing::BackendTest {
 protected:
  void SetUp() override {
    BackendTest::SetUp();
    if (IsSkipped()) return;
    start(testing::uniform<float>(kCount, 1));
  }
  void start(const std::vector<float>& values) {
    reference_ = {
        {values.begin(), values.end()}, std::vector<double>(kCount), std::vector<double>(kCount)};
    values_ = Tensor::from_host(1, kCount, values, device());
    first_ = Tensor::zeros(1, kCount, device());
    second_ = Tensor::zeros(1, kCount, device());
  }
  void step(const std::vector<float>& grads, const StepState& host, bool clips) {
    const auto state = Buffer<StepState>::from_host({&host, 1}, device());
    const Tensor from = Tensor::from_host(1, kCount, grads, device());
    Buffer<double> square(1, device());
    on_device(device(), [&](auto& context) {
      square_sum(context, {.x = from.flat(), .sum = square.mutable_view()});
      adam_step(context, {.values = values_.mutable_flat(),
                          .grads = from.flat(),
                          .first_moment = first_.mutable_flat(),
                          .second_moment = second_.mutable_flat(),
                          .grad_square_sum = clips ? square.view() : VectorView<const double>{},
                          .state = state.data(),
                          .group = kCodebookGroup,
                          .epsilon = 1e-8f});
    });
    reference_.step(grads, host.now, kCodebookGroup, 1e-8, clips);
  }
  static constexpr int64_t kCount = 1003;
  Reference reference_;
  Tensor values_, first_, second_;
};
TESSERA_FOR_EACH_BACKEND(AdamKernelTest);

TEST_P(AdamKernelTest, FollowsTheDoubleReferenceForManySteps) {
  for (uint64_t t = 1; t <= 30; ++t) step(testing::uniform<float>(kCount, t), state_of(t), false);
  // Each step moves at most 0.01 (1 + a few) with about ten roundings; thirty of them add up.
  testing::expect_close(values_.to_host(), reference_.values, 1e-6);
  // 1 - beta2 in float is known to 2^-24 / 0.001 only.
  testing::expect_close(first_.to_host(), reference_.first, 1e-6);
  testing::expect_close(second_.to_host(), reference_.second, 1e-6);
}

TEST_P(AdamKernelTest, ClipsByTheNormOfTheWholeGroup) {
  for (uint64_t t = 1; t <= 5; ++t) {
    std::vector<float> grads = testing::uniform<float>(kCount, t);
    if (t == 3)
      for (float& g : grads) g *= 1e-3f;  // below the norm: not clipped
    step(grads, state_of(t, 0.5f), true);
  }
  testing::expect_close(first_.to_host(), reference_.first, 1e-6, 1e-3);
  testing::expect_close(values_.to_host(), reference_.values, 1e-6);
}

TEST_P(AdamKernelTest, ANormOfZeroMeansNoClipping) {
  step(testing::uniform<float>(kCount, 1, -100, 100), state_of(1, 0), true);
  testing::expect_close(first_.to_host(), reference_.first, 1e-6);
}

TEST_P(AdamKernelTest, AZeroGradientMovesNothingAtFirst) {
  const std::vector<float> before = values_.to_host();
  step(std::vector<float>(kCount, 0.0f), state_of(1, 1.0f), true);
  EXPECT_EQ(values_.to_host(), before);
}

TEST_P(AdamKernelTest, TheFirstStepIsTheRateInTheDirectionOfTheSign) {
  start(std::vector<float>(kCount, 0.0f));
  std::vector<float> grads = testing::uniform<float>(kCount, 3);
  for (float& g : grads) g += g < 0 ? -0.1f : 0.1f;
  step(grads, state_of(1), false);
  std::vector<double> expected;
  for (const float g : grads) expected.push_back(g < 0 ? 0.01 : -0.01);
  // (1 - beta2) / (1 - beta2^1) is 1 up to the rounding of a float near 0.001.
  testing::expect_close(values_.to_host(), expected, 1e-5, 1e-2);
}

TEST_P(AdamKernelTest, RateOfAnotherGroupIsNotUsed) {
  StepState state = state_of(1);
  state.now.learning_rate[kCodebookGroup] = 0;
  state.now.learning_rate[kModelGroup] = 1;
  const std::vector<float> before = values_.to_host();
  step(testing::uniform<float>(kCount, 1), state, false);
  EXPECT_EQ(values_.to_host(), before);
}

TEST(AdamKernelCpuTest, HasTheSameBitsForAnyThreadsAndInstructions) {
  constexpr int64_t kCount = 140003;
  const auto grads = testing::uniform<float>(kCount, 1),
             values = testing::uniform<float>(kCount, 2);
  const StepState state = state_of(3, 1.0f);
  testing::expect_same_bits_everywhere([&] {
    std::vector<float> v = values, first = grads, second(kCount, 0.01f);
    double square = 0;
    square_sum(cpu_context(), {.x = {grads.data(), kCount}, .sum = {&square, 1}});
    adam_step(cpu_context(), {.values = {v.data(), kCount},
                              .grads = {grads.data(), kCount},
                              .first_moment = {first.data(), kCount},
                              .second_moment = {second.data(), kCount},
                              .grad_square_sum = {&square, 1},
                              .state = &state,
                              .group = kCodebookGroup,
                              .epsilon = 1e-8f});
    v.insert(v.end(), second.begin(), second.end());
    return v;
  });
}

TEST(SquareSumCpuTest, IsExactInBinary64ForAnyThreadsAndInstructions) {
  constexpr int64_t kCount = 140003;
  const auto x = testing::uniform<float>(kCount, 1);
  double expected = 0;
  for (const float value : x) expected += double(value) * value;
  testing::expect_same_bits_everywhere([&] {
    std::vector<double> sum(1);
    square_sum(cpu_context(), {.x = {x.data(), kCount}, .sum = {sum.data(), 1}});
    EXPECT_NEAR(sum[0], expected, 1e-11 * expected);
    return sum;
  });
}

}  // namespace
}  // namespace tessera::kernels
