#include <cmath>

#include "tessera/kernels/adam.h"
#include "tessera/kernels/losses.h"
#include "testing/backends.h"
#include "testing/guarded.h"
#include "testing/numbers.h"

namespace tessera {
namespace {

using testing::expect_near;
using testing::Guarded;
using testing::random_values;

using testing::kUlp;
// Around one block of 256, one block's share of 4,096, and several blocks.
constexpr int64_t kReduced[] = {0, 1, 31, 255, 257, 4095, 4096, 4097, 70001};

class ReductionContractTest : public testing::BackendTest {};
TESSERA_FOR_EACH_BACKEND(ReductionContractTest);

TEST_P(ReductionContractTest, MeanSquaredErrorIsRoundedOnce) {
  for (const int64_t size : kReduced) {
    const std::vector<float> p = random_values(size, 1), t = random_values(size, 2);
    double sum = 0;
    for (int64_t i = 0; i < size; ++i) sum += (double(p[i]) - t[i]) * (double(p[i]) - t[i]);
    Guarded<float> p_in(p, device()), t_in(t, device());
    auto loss = Guarded<float>::out(1, device());
    run([&](auto& context) {
      kernels::mean_squared_error(context, {p_in.view(), t_in.view(), loss.vector()});
    });
    expect_near(loss.values(), {size > 0 ? sum / static_cast<double>(size) : 0}, kUlp, 0);
  }
}

TEST_P(ReductionContractTest, MeanSquaredErrorRepeatsItsBits) {
  const std::vector<float> p = random_values(70001, 1), t = random_values(70001, 2);
  Guarded<float> p_in(p, device()), t_in(t, device());
  auto first = Guarded<float>::out(1, device()), again = Guarded<float>::out(1, device());
  run([&](auto& context) {
    kernels::mean_squared_error(context, {p_in.view(), t_in.view(), first.vector()});
    kernels::mean_squared_error(context, {p_in.view(), t_in.view(), again.vector()});
  });
  EXPECT_EQ(first.values(), again.values());
}

TEST_P(ReductionContractTest, MeanSquaredErrorGradientFollowsItsFormula) {
  for (const int64_t size : testing::kSizes)
    for (const float beta : {0.0f, 1.0f}) {
      const std::vector<float> p = random_values(size, 1), t = random_values(size, 2);
      const std::vector<float> old = random_values(size, 3);
      Guarded<float> p_in(p, device()), t_in(t, device()), dloss(std::vector{0.7f}, device());
      Guarded<float> dp(beta == 0 ? std::vector<float>(size, NAN) : old, device());
      run([&](auto& context) {
        kernels::mean_squared_error_grad(context, {.p = p_in.view(),
                                                   .t = t_in.view(),
                                                   .dloss = dloss.view(),
                                                   .dp = dp.vector(),
                                                   .beta = beta});
      });
      std::vector<double> expected;
      for (int64_t i = 0; i < size; ++i)
        expected.push_back(double(0.7f) * 2 / static_cast<double>(size) * (double(p[i]) - t[i]) +
                           (beta == 0 ? 0 : old[i]));
      expect_near(dp.values(), expected, 4 * kUlp);
    }
}

TEST_P(ReductionContractTest, SquareSumIsBinary64) {
  for (const int64_t size : kReduced) {
    const std::vector<float> x = random_values(size, 4);
    double expected = 0;
    for (const float value : x) expected += double(value) * value;
    Guarded<float> x_in(x, device());
    auto sum = Guarded<double>::out(1, device());
    run([&](auto& context) { kernels::square_sum(context, {x_in.view(), sum.vector()}); });
    EXPECT_NEAR(sum.values()[0], expected, 1e-13 * expected) << size;
  }
}

struct AdamCase {
  float clip_norm;
  bool has_norm;
};
class AdamContractTest : public testing::BackendTest {
 protected:
  // Runs one step and compares with the definition in binary64; returns the new values.
  void check(int64_t size, AdamCase clipping) {
    const std::vector<float> values = random_values(size, 1), grads = random_values(size, 2);
    const std::vector<float> first = random_values(size, 3);
    std::vector<float> second = random_values(size, 4);
    for (float& v : second) v = v * v;
    double square = 0;
    for (const float g : grads) square += double(g) * g;
    StepState state{.now = {}};
    state.now.learning_rate[1] = 0.01f;
    state.now.clip_norm[1] = clipping.clip_norm;
    state.now.beta1_correction = 0.4f;
    state.now.beta2_correction = 0.02f;
    const auto state_in = Buffer<StepState>::from_host(std::vector{state}, device());
    const auto norm = Buffer<double>::from_host(std::vector{square}, device());
    Guarded<float> w(values, device()), g(grads, device()), m(first, device()), v(second, device());
    run([&](auto& context) {
      kernels::adam_step(
          context, {.values = w.vector(),
                    .grads = g.view(),
                    .first_moment = m.vector(),
                    .second_moment = v.vector(),
                    .grad_square_sum = clipping.has_norm ? norm.view() : VectorView<const double>{},
                    .state = state_in.data(),
                    .group = 1,
                    .epsilon = 1e-8f});
    });
    const bool clips =
        clipping.has_norm && clipping.clip_norm > 0 && std::sqrt(square) > clipping.clip_norm;
    const double clip = clips ? clipping.clip_norm / std::sqrt(square) : 1;
    std::vector<double> new_w, new_m, new_v;
    for (int64_t i = 0; i < size; ++i) {
      const double grad = clip * grads[i];
      new_m.push_back(double(0.9f) * first[i] + (1 - double(0.9f)) * grad);
      new_v.push_back(double(0.999f) * second[i] + (1 - double(0.999f)) * grad * grad);
      new_w.push_back(values[i] - double(0.01f) * (new_m[i] / double(0.4f)) /
                                      (std::sqrt(new_v[i] / double(0.02f)) + 1e-8));
    }
    // About eight float roundings each; 1 - beta2 cancels, 2^-24 / 0.001 relative.
    expect_near(m.values(), new_m, 8 * kUlp);
    expect_near(v.values(), new_v, 2e-4, 1e-2);
    expect_near(w.values(), new_w, 1e-5);
    EXPECT_EQ(g.values(), grads);
  }
};
TESSERA_FOR_EACH_BACKEND(AdamContractTest);

TEST_P(AdamContractTest, FollowsItsFormulaAtEverySize) {
  for (const int64_t size : testing::kSizes) check(size, {0, true});
}
TEST_P(AdamContractTest, ClipsByTheGlobalNorm) { check(1025, {0.5f, true}); }
TEST_P(AdamContractTest, LeavesSmallGradientsAlone) { check(1025, {1000, true}); }
TEST_P(AdamContractTest, WithoutNormDoesNotClip) { check(1025, {0.5f, false}); }

}  // namespace
}  // namespace tessera
