// Learnable assignment through the CUDA launchers: launches do not depend on the number of categories,
// steps follow the CPU's, a recorded step draws new noise at each replay.

#include <cmath>

#include "tessera/assignment_ops.h"
#include "tessera/optimizer.h"
#include "tessera/step.h"
#include "testing/backends.h"
#include "testing/numbers.h"

namespace tessera {
namespace {

// Four hidden units leave no padding between the weights of families, which would be filled.
constexpr int64_t kSamples = 12, kFeatures = 10, kHidden = 4;

/// A step of everything that learns of the assignment, without a quantizer.
class AssignmentTraining {
 public:
  AssignmentTraining(int32_t categories, bool two_families, Device device)
      : families_(split(categories, two_families)),
        table_(families_, device),
        routing_(families_, kHidden, device),
        partials_(families_, 1, device),
        state_(7, 50, 1, device),
        x_(Tensor::from_host(kSamples, kFeatures, testing::uniform<float>(kSamples * kFeatures, 1),
                             device)),
        weight_(Tensor::from_host(1, kFeatures, std::vector<float>(kFeatures, 0.1f), device)),
        matrix_(Tensor::from_host(kFeatures, kFeatures,
                                  std::vector<float>(kFeatures * kFeatures, 0.01f), device)) {
    const auto values = [](uint64_t seed) {
      return [seed](int64_t i) {
        return testing::uniform<float>(1, seed + static_cast<uint64_t>(i), -0.4, 0.4)[0];
      };
    };
    logits_.declare({"logits", kFeatures, categories, values(10)});
    model_.declare({"weights", 1, routing_.weights(), values(2000)});
    model_.declare({"bias", 1, routing_.outputs(), values(5000)});
    model_.declare({"decoder", partials_.columns(), routing_.outputs(), values(9000)});
    logits_.allocate(device);
    model_.allocate(device);
    ScheduleRow row;
    for (real& rate : row.learning_rate) rate = 1e-2f;
    row.temperature = 0.7f;
    state_.write_schedule(std::vector<ScheduleRow>(50, row));
  }
  StepCounts step() {
    return run_step(table_.device(), [&] { body(); });
  }
  void body() {
    state_.advance();
    Tape tape;
    const auto parameter = [&](ParameterGroup& group, size_t i) {
      return tape.parameter(group[i]);
    };
    const Var a =
        category_assignment(table_, parameter(logits_, 0), {.state = &state_, .gumbel = true});
    const Var h = soft_routing(routing_, Var(x_), a, parameter(model_, 0), parameter(model_, 1));
    const Var partial = linear(h, parameter(model_, 2), {});
    const Var told = soft_informativeness(partials_, partial, Var(x_), a, weight_);
    const AnnealedWeight weight{.state = state_.get(), .start = 0.5, .end = 0.1, .steps = 20};
    tape.backward({{told},
                   {assignment_orthogonality(Var(x_), a), 0.1f},
                   {category_balance(a), 0.05f},
                   {modularity(a, matrix_), -1},
                   {row_entropy(a, weight), -1}});
    logits_.adam_step(state_, false);
    model_.adam_step(state_, false);
    state_.record_terms({&told.value()}, 1);
  }
  Device device() const { return table_.device(); }
  std::vector<float> logits() { return logits_[0].value.to_host(); }
  double loss() const { return state_.read_sums()[0]; }

 private:
  static std::vector<CategoryFamily> split(int32_t categories, bool two) {
    std::vector<CategoryFamily> families = {{.features = kFeatures, .categories = categories}};
    if (two)
      families = {{.features = 6, .categories = categories - 1},
                  {.features = kFeatures - 6, .categories = 1}};
    CategoryFamily::pack(families);
    return families;
  }
  std::vector<CategoryFamily> families_;
  FamilyTable table_;
  RoutingTable routing_;
  PartialTable partials_;
  TrainingState state_;
  ParameterGroup logits_{"assignment", kAssignmentGroup}, model_{"model", kModelGroup};
  Tensor x_, weight_, matrix_;
};

class AssignmentContractTest : public testing::BackendTest {};
TESSERA_FOR_EACH_BACKEND(AssignmentContractTest);

TEST_P(AssignmentContractTest, LaunchesDoNotDependOnTheNumberOfCategories) {
  for (const bool two : {false, true}) {
    AssignmentTraining few(2, two, device()), many(9, two, device());
    few.step();
    many.step();
    EXPECT_EQ(few.step().launches(), many.step().launches()) << (two ? "two families" : "one family");
  }
}

TEST_P(AssignmentContractTest, StepsFollowTheCpu) {
  for (const bool two : {false, true}) {
    AssignmentTraining here(4, two, device()), cpu(4, two, {});
    for (int step = 0; step < 5; ++step) {
      here.step();
      cpu.step();
    }
    // Adam makes steps of 1e-2 of gradients' signs and sizes; rounding moves them by far less.
    const std::vector<float> found = here.logits(), expected = cpu.logits();
    testing::expect_close(found, {expected.begin(), expected.end()}, 1e-4);
    EXPECT_NEAR(here.loss(), cpu.loss(), 1e-5 * cpu.loss());
  }
}

TEST_P(AssignmentContractTest, ARecordedStepDrawsNewNoiseEachTime) {
  AssignmentTraining recorded(4, true, device()), eager(4, true, device());
  recorded.step();
  eager.step();
  CapturedStep step = capture(device(), [&] { recorded.body(); });
  for (int i = 0; i < 3; ++i) {
    step.replay();
    eager.step();
  }
  testing::expect_same_bits(recorded.logits(), eager.logits());
}

}  // namespace
}  // namespace tessera
