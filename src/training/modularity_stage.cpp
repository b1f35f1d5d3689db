// The stage on the logits alone that lets training start from random ones.
#include <cmath>

#include <fmt/format.h>

#include "tessera/category_assignment.h"
#include "tessera/optimizer.h"
#include "tessera/step.h"
#include "training/assignment_training.h"

namespace tessera {

std::vector<float> learn_from_correlations(const std::vector<CategoryFamily>& families,
                                           const std::vector<float>& modularity_values,
                                           int64_t steps, uint64_t seed, Device device,
                                           Console& console) {
  constexpr double kRate = 0.1, kBeta1 = 0.9, kBeta2 = 0.999;
  constexpr double kFirstEntropy = 2, kLastEntropy = 0.05, kCooling = 0.8;
  int64_t features = 0, categories = 0;
  for (const CategoryFamily& family : families) {
    features += family.features;
    categories += family.categories;
  }
  const FamilyTable table(families, device);
  const Tensor matrix = Tensor::from_host(features, features, modularity_values, device);
  const std::vector<float> initial = random_logits(families, seed);
  ParameterGroup group("assignment", kAssignmentGroup);
  group.declare({"logits", features, categories,
                 [&](int64_t i) { return initial[static_cast<size_t>(i)]; }});
  group.allocate(device);
  TrainingState state(seed, steps, 1, device);
  std::vector<ScheduleRow> schedule(static_cast<size_t>(steps));
  for (size_t i = 0; i < schedule.size(); ++i) {
    schedule[i].learning_rate[kAssignmentGroup] = float(kRate);
    schedule[i].beta1_correction = float(1 - std::pow(kBeta1, double(i + 1)));
    schedule[i].beta2_correction = float(1 - std::pow(kBeta2, double(i + 1)));
  }
  state.write_schedule(schedule);
  const AnnealedWeight entropy{.state = state.get(),
                               .start = kFirstEntropy,
                               .end = kLastEntropy,
                               .steps = kCooling * double(steps)};
  CapturedStep step = capture(device, [&] {
    state.advance();
    Tape tape;
    const Var a = category_assignment(table, tape.parameter(group[0]), {.temperature = 1});
    tape.backward({{modularity(a, matrix), -1}, {row_entropy(a, entropy), -1}});
    group.adam_step(state, false);
  });
  for (int64_t i = 0; i < steps; ++i) {
    step.replay();
    console.live(fmt::format("Logits from correlations: {}/{} steps", i + 1, steps), 10);
  }
  console.clear_live();
  return group[0].value.to_host();
}

}  // namespace tessera
