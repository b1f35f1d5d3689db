#include "tessera/kernels/step_state.h"

#include <cmath>
#include <limits>

#include "tessera/tensor.h"
#include "testing/backends.h"

namespace tessera::kernels {
namespace {

class StepStateKernelTest : public testing::BackendTest {
 protected:
  static std::vector<ScheduleRow> table(int rows) {
    std::vector<ScheduleRow> result(static_cast<size_t>(rows));
    for (int i = 0; i < rows; ++i) result[static_cast<size_t>(i)].temperature = float(i);
    return result;
  }
  StepState advanced(const StepState& from, int rows) {
    auto state = Buffer<StepState>::from_host({&from, 1}, device());
    const auto schedule = Buffer<ScheduleRow>::from_host(table(rows), device());
    on_device(device(), [&](auto& context) {
      advance_step(context, {.state = state.data(), .table = schedule.view()});
    });
    return state.to_host()[0];
  }
  /// One record of `terms` at step `step`; sums start at 1.
  std::pair<std::vector<double>, StepState> recorded(const std::vector<float>& terms, double weight,
                                                     StepState from) {
    auto state = Buffer<StepState>::from_host({&from, 1}, device());
    const Tensor values = Tensor::from_host(1, static_cast<int64_t>(terms.size()), terms, device());
    auto sums = Buffer<double>::from_host(std::vector<double>(terms.size(), 1.0), device());
    RecordTerms args{};
    for (size_t i = 0; i < terms.size(); ++i) args.terms[i] = values.flat().data + i;
    args.count = static_cast<int32_t>(terms.size());
    args.weight = weight;
    args.sums = sums.mutable_view();
    args.state = state.data();
    on_device(device(), [&](auto& context) { record_terms(context, args); });
    return {sums.to_host(), state.to_host()[0]};
  }
};
TESSERA_FOR_EACH_BACKEND(StepStateKernelTest);

TEST_P(StepStateKernelTest, AdvanceCountsAndTakesTheRowOfItsStep) {
  const StepState state =
      advanced({.seed = 5, .step = 41, .epoch = 2, .step_in_epoch = 1, .now = {}}, 4);
  EXPECT_EQ(state.step, 42u);
  EXPECT_EQ(state.step_in_epoch, 2u);
  EXPECT_EQ(state.epoch, 2u);
  EXPECT_EQ(state.seed, 5u);
  EXPECT_EQ(state.now.temperature, 1.0f);
}

TEST_P(StepStateKernelTest, BeyondTheTableItsLastRowHolds) {
  EXPECT_EQ(advanced({.step_in_epoch = 9, .now = {}}, 4).now.temperature, 3.0f);
}

TEST_P(StepStateKernelTest, RecordAddsWeightedTerms) {
  const auto [sums, state] = recorded({0.5f, -2.0f}, 32, {.step = 3, .now = {}});
  EXPECT_EQ(sums, (std::vector<double>{17, -63}));
  EXPECT_EQ(state.first_bad_step, 0u);
}

TEST_P(StepStateKernelTest, TheFirstTermThatIsNotFiniteIsKept) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    const StepState state = recorded({1, bad, bad}, 1, {.step = 7, .now = {}}).second;
    EXPECT_EQ(state.first_bad_step, 7u);
    EXPECT_EQ(state.first_bad_term, 1u);
  }
  const StepState later =
      recorded({NAN}, 1, {.step = 9, .first_bad_step = 7, .first_bad_term = 2, .now = {}}).second;
  EXPECT_EQ(later.first_bad_step, 7u);
  EXPECT_EQ(later.first_bad_term, 2u);
}

}  // namespace
}  // namespace tessera::kernels
