// The terms of an assignment together find what was planted, from the correlations alone.

#include <cmath>

#include "data/planted_features.h"
#include "tessera/category_assignment.h"
#include "tessera/discovery.h"
#include "tessera/optimizer.h"
#include "tessera/step.h"

namespace tessera {
namespace {

/// Adam on logits alone: modularity with weight 1, and a mean entropy whose weight falls from 2 to
/// 0.05 over the first four fifths of the steps.
class LogitStage {
 public:
  static constexpr int64_t kSteps = 3000;

  LogitStage(const testing::Planted& planted, int32_t categories, uint64_t seed)
      : families_(
            {{.features = static_cast<int32_t>(planted.block.size()), .categories = categories}}),
        table_(families_, {}),
        state_(seed, kSteps, 1, {}) {
    const int64_t features = planted.features.cols();
    const SquareMatrix correlations = correlation_matrix(
        {planted.features.values.data(), planted.features.rows, features, features});
    matrix_ =
        Tensor::from_host(features, features, modularity_matrix(correlations.values, features));
    const std::vector<float> initial = random_logits(families_, seed);
    group_.declare({"logits", features, categories,
                    [&](int64_t i) { return initial[static_cast<size_t>(i)]; }});
    group_.allocate({});
    std::vector<ScheduleRow> schedule(kSteps);
    for (size_t step = 0; step < schedule.size(); ++step) {
      schedule[step].learning_rate[kAssignmentGroup] = 0.1f;
      schedule[step].beta1_correction = 1 - std::pow(0.9f, float(step + 1));
      schedule[step].beta2_correction = 1 - std::pow(0.999f, float(step + 1));
    }
    state_.write_schedule(schedule);
  }
  std::vector<int32_t> run() {
    const AnnealedWeight weight{
        .state = state_.get(), .start = 2, .end = 0.05, .steps = 0.8 * kSteps};
    for (int64_t step = 0; step < kSteps; ++step)
      run_step({}, [&] {
        state_.advance();
        Tape tape;
        const Var a = category_assignment(table_, tape.parameter(group_[0]), {.temperature = 1});
        tape.backward({{modularity(a, matrix_), -1}, {row_entropy(a, weight), -1}});
        group_.adam_step(state_, false);
      });
    return hard_assignment(families_, group_[0].value.to_host());
  }

 private:
  std::vector<CategoryFamily> families_;
  FamilyTable table_;
  TrainingState state_;
  ParameterGroup group_{"assignment", kAssignmentGroup};
  Tensor matrix_;
};

TEST(CategoryLearningTest, CorrelationsAloneGiveThePlantedBlocksFromRandomLogits) {
  for (const unsigned seed : {0u, 1u}) {
    const testing::Planted planted = testing::planted_features(seed);
    const std::vector<int32_t> found = LogitStage(planted, 8, seed).run();
    std::vector<int32_t> blocks, categories;
    for (size_t i = 0; i < found.size(); ++i) {
      if (planted.block[i] < 0) continue;  // noise belongs nowhere
      blocks.push_back(planted.block[i]);
      categories.push_back(found[i]);
    }
    EXPECT_GE(adjusted_rand_index(blocks, categories), 0.95) << "data " << seed;
  }
}

}  // namespace
}  // namespace tessera
