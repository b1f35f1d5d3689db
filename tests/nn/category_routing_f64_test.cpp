#include "tessera/assignment_nn.h"
#include "testing/gradcheck.h"
#include "testing/numbers.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using testing::uniform;

constexpr int64_t kRows = 4, kFeatures = 5, kCategories = 4, kHidden = 3;

std::vector<CategoryFamily> two_families() {
  std::vector<CategoryFamily> families = {{.features = 3, .categories = 2},
                                          {.features = 2, .categories = 2}};
  CategoryFamily::pack(families);
  return families;
}

class CategoryRoutingTest : public ::testing::Test {
 protected:
  CategoryRoutingTest()
      : routing_(model_, "encoder/hidden", assignment_,
                 {.families = two_families(),
                  .initial_logits = uniform<real>(kFeatures * kCategories, 1, -2, 2),
                  .hidden = kHidden,
                  .seed = 3},
                 {}),
        state_(5, 10, 1, {}) {
    model_.allocate({});
    assignment_.allocate({});
    StepState now = state_.read();
    now.step = 4;
    now.now.temperature = real(0.6);
    state_.write(now);
  }
  Var loss(const Pass& pass) {
    const Var x(Tensor::from_host(kRows, kFeatures, uniform<real>(kRows * kFeatures, 2)));
    const Tensor target = Tensor::from_host(kRows, kCategories * kHidden,
                                            uniform<real>(kRows * kCategories * kHidden, 4));
    return gradcheck::scalar_of(routing_.forward(pass, x, routing_.assignment(pass)), target);
  }
  ParameterGroup model_{"model", kModelGroup}, assignment_{"assignment", kAssignmentGroup};
  CategoryRouting routing_;
  TrainingState state_;
};

TEST_F(CategoryRoutingTest, GradientsReachWeightsAndLogits) {
  const auto of_pass = [&](const Pass& pass) { return loss(pass); };
  gradcheck::expect_gradients(model_, of_pass, {.state = &state_});
  gradcheck::expect_gradients(assignment_, of_pass, {.state = &state_});
}

TEST_F(CategoryRoutingTest, GradientsOfListedFeaturesMatchDifferences) {
  routing_.read_features({{0, 2}, {1}, {3, 4}, {4}});
  const auto of_pass = [&](const Pass& pass) { return loss(pass); };
  gradcheck::expect_gradients(model_, of_pass, {.state = &state_});
  gradcheck::expect_gradients(assignment_, of_pass, {.state = &state_});
}

TEST_F(CategoryRoutingTest, EveryFeatureListedIsTheSameAsAll) {
  const Pass pass{.state = &state_, .training = true};
  const real all = loss(pass).value().to_host()[0];
  routing_.read_features({{0, 1, 2}, {0, 1, 2}, {3, 4}, {3, 4}});
  EXPECT_NEAR(loss(pass).value().to_host()[0], all, 1e-14);
  routing_.read_features({});
  EXPECT_EQ(loss(pass).value().to_host()[0], all);
}

TEST_F(CategoryRoutingTest, EvaluationHasNoNoiseAndItsOwnTemperature) {
  const auto values = [&](const Pass& pass) { return routing_.assignment(pass).value().to_host(); };
  const Pass training{.state = &state_, .training = true}, evaluation{.state = &state_};
  EXPECT_NE(values(training), values(evaluation));
  testing::expect_same_bits(values({}), values(evaluation));
  testing::expect_same_bits(values({}), routing_.plain_assignment({}).value().to_host());
  routing_.set_evaluation_temperature(real(0.1));
  EXPECT_NE(values({}), routing_.plain_assignment({}).value().to_host());
}

}  // namespace
}  // namespace tessera::inline TESSERA_PRECISION
