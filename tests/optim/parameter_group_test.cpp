#include "tessera/kernels/elementwise.h"
#include "tessera/optimizer.h"
#include "testing/backends.h"
#include "testing/numbers.h"

namespace tessera {
namespace {

real counted(int64_t i) { return real(i); }

class ParameterGroupTest : public testing::BackendTest {
 protected:
  ParameterGroup group_{"model", kModelGroup};
};
TESSERA_FOR_EACH_BACKEND(ParameterGroupTest);

TEST_P(ParameterGroupTest, ParametersAreSlicesWithTheirInitialValues) {
  const size_t a = group_.declare({"a", 2, 3, counted});
  const size_t b = group_.declare({"b", 1, 40, [](int64_t i) { return real(-i); }});
  group_.allocate(device());
  EXPECT_EQ(group_[a].value.to_host(), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(group_[a].value.rows(), 2);
  EXPECT_EQ(group_[b].value.to_host()[39], -39);
  EXPECT_EQ(group_[b].name, "b");
  EXPECT_EQ(group_.parameter_count(), 46);
}

TEST_P(ParameterGroupTest, EachParameterStartsOnA128ByteLine) {
  for (int i = 0; i < 4; ++i) group_.declare({"p" + std::to_string(i), 1, 5 + i, counted});
  group_.allocate(device());
  for (Parameter& parameter : group_.parameters())
    EXPECT_EQ(reinterpret_cast<uintptr_t>(parameter.value.flat().data) % 128, 0u);
}

TEST_P(ParameterGroupTest, GradientsAndMomentsStartAtZero) {
  group_.declare({"a", 1, 5, counted});
  group_.allocate(device());
  EXPECT_EQ(group_[0].grad.to_host(), std::vector<float>(5, 0.0f));
  EXPECT_EQ(group_.first_moment().to_host(), std::vector<float>(32, 0.0f));
  EXPECT_EQ(group_.second_moment().to_host(), std::vector<float>(32, 0.0f));
}

TEST_P(ParameterGroupTest, RefusesNamesTwiceAndDeclarationsThatComeLate) {
  group_.declare({"a", 1, 1, counted});
  EXPECT_NE(testing::error_of([&] {
              group_.declare({"a", 2, 2, counted});
            }).find("twice"),
            std::string::npos);
  group_.allocate(device());
  EXPECT_NE(testing::error_of([&] {
              group_.declare({"b", 1, 1, counted});
            }).find("after allocate"),
            std::string::npos);
}

TEST_P(ParameterGroupTest, MayBeEmpty) {
  group_.allocate(device());
  TrainingState state(1, 1, 1, device());
  EXPECT_TRUE(group_.empty());
  EXPECT_EQ(group_.size(), 0);
  group_.adam_step(state, true);
}

TEST_P(ParameterGroupTest, AdamMovesEveryParameterAgainstItsGradientAndLeavesThePadding) {
  group_.declare({"a", 1, 3, counted});
  group_.declare({"b", 1, 2, counted});
  group_.allocate(device());
  group_[0].grad.write(std::vector<float>{1, -1, 2});
  group_[1].grad.write(std::vector<float>{-5, 0});
  TrainingState state(1, 1, 1, device());
  ScheduleRow row;
  row.learning_rate[kModelGroup] = 0.5f;
  row.beta1_correction = 1 - row.beta1;
  row.beta2_correction = 1 - row.beta2;
  state.write_schedule({row});
  run_step(device(), [&] {
    state.advance();
    group_.adam_step(state, false);
  });
  // The first step is the rate times the sign.
  testing::expect_close(group_[0].value.to_host(), {-0.5, 1.5, 1.5}, 1e-6);
  testing::expect_close(group_[1].value.to_host(), {0.5, 1}, 1e-6);
  EXPECT_EQ(group_.first_moment().to_host()[3], 0);
}

TEST_P(ParameterGroupTest, ClippingSeesAllParametersOfTheGroup) {
  group_.declare({"a", 1, 1, counted});
  group_.declare({"b", 1, 1, counted});
  group_.allocate(device());
  group_[0].grad.write(std::vector<float>{3});
  group_[1].grad.write(std::vector<float>{4});
  TrainingState state(1, 1, 1, device());
  ScheduleRow row;
  row.clip_norm[kModelGroup] = 1;
  state.write_schedule({row});
  run_step(device(), [&] {
    state.advance();
    group_.adam_step(state, true);
  });
  // Norm 5, clipped to 1: the first moments are (1 - beta1) of 0.6 and 0.8.
  testing::expect_close(group_.first_moment().slice(0, 1).to_host(), {0.06}, 1e-6);
  testing::expect_close(group_.first_moment().slice(32, 1).to_host(), {0.08}, 1e-6);
}

class TrainingStateTest : public testing::BackendTest {};
TESSERA_FOR_EACH_BACKEND(TrainingStateTest);

TEST_P(TrainingStateTest, StartsAtStepZeroWithItsSeed) {
  const TrainingState state(77, 3, 2, device());
  EXPECT_EQ(state.read().seed, 77u);
  EXPECT_EQ(state.read().step, 0u);
  EXPECT_EQ(state.read_sums(), (std::vector<double>{0, 0}));
}

TEST_P(TrainingStateTest, AResumeIsOneWrite) {
  TrainingState first(1, 5, 1, device()), second(2, 5, 1, device());
  for (int i = 0; i < 3; ++i) first.advance();
  second.write(first.read());
  first.advance();
  second.advance();
  EXPECT_EQ(second.read().step, 4u);
  EXPECT_EQ(second.read().seed, 1u);
}

TEST_P(TrainingStateTest, RefusesWrongNumbersOfTerms) {
  TrainingState state(1, 1, 2, device());
  const Tensor one = Tensor::zeros(1, 1, device());
  EXPECT_NE(testing::error_of([&] { state.record_terms({&one}, 1); }), "");
  EXPECT_NE(testing::error_of([&] { TrainingState(1, 1, 17, device()); }), "");
  EXPECT_NE(testing::error_of([&] { TrainingState(1, 0, 1, device()); }), "");
}

}  // namespace
}  // namespace tessera
