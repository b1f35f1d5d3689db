#include "tessera/kernels/batch.h"
#include "tessera/kernels/step_state.h"
#include "testing/backends.h"
#include "testing/guarded.h"

namespace tessera {
namespace {

using testing::Guarded;
using testing::random_values;

class StepStateContractTest : public testing::BackendTest {};
TESSERA_FOR_EACH_BACKEND(StepStateContractTest);

TEST_P(StepStateContractTest, AdvanceTakesTheRowsOfItsTableInOrderAndKeepsTheLast) {
  std::vector<ScheduleRow> rows(3);
  for (int i = 0; i < 3; ++i) rows[i].temperature = static_cast<float>(i + 1);
  const auto table = Buffer<ScheduleRow>::from_host(rows, device());
  Guarded<StepState> state(std::vector<StepState>{{.step = 40, .now = {}}}, device());
  for (int i = 1; i <= 4; ++i) {
    run([&](auto& context) {
      kernels::advance_step(context, {.state = state.vector().data, .table = table.view()});
    });
    const StepState now = state.values()[0];
    EXPECT_EQ(now.step, 40u + i);
    EXPECT_EQ(now.step_in_epoch, static_cast<uint64_t>(i));
    EXPECT_EQ(now.now.temperature, static_cast<float>(std::min(i, 3)));
  }
}

TEST_P(StepStateContractTest, RecordTermsAddsWeightedAndKeepsTheFirstBadTerm) {
  const auto good = Buffer<float>::from_host(std::vector{2.0f}, device());
  const auto bad = Buffer<float>::from_host(std::vector{NAN}, device());
  Guarded<double> sums(std::vector{1.0, 1.0}, device());
  Guarded<StepState> state(std::vector<StepState>{{.step = 6, .now = {}}}, device());
  kernels::RecordTerms args{};
  args.terms[0] = good.data();
  args.terms[1] = bad.data();
  args.count = 2;
  args.weight = 10;
  args.sums = sums.vector();
  args.state = state.vector().data;
  run([&](auto& context) { kernels::record_terms(context, args); });
  EXPECT_EQ(sums.values()[0], 21.0);
  EXPECT_EQ(state.values()[0].first_bad_step, 6u);
  EXPECT_EQ(state.values()[0].first_bad_term, 1u);
}

class BatchContractTest : public testing::BackendTest {};
TESSERA_FOR_EACH_BACKEND(BatchContractTest);

TEST_P(BatchContractTest, LoadBatchFollowsThePermutationOfTheEpoch) {
  constexpr int64_t kRows = 50, kCols = 37, kPerStep = 20;
  std::vector<uint8_t> bytes(kRows * kCols);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 7);
  std::vector<int32_t> subset;
  for (int32_t n = 0; n < kRows; n += 2) subset.push_back(n);
  const uint64_t size = subset.size();
  for (const int64_t batch_rows : {1, 8, 9, 20}) {
    Guarded<uint8_t> source(bytes, device());
    Guarded<int32_t> subset_in(subset, device());
    Guarded<StepState> state(
        std::vector<StepState>{{.seed = 3, .epoch = 4, .step_in_epoch = 2, .now = {}}}, device());
    auto batch = Guarded<float>::out(batch_rows, kCols, device());
    run([&](auto& context) {
      kernels::load_batch(context, {.source = {.bytes = source.view().data,
                                               .rows = kRows,
                                               .cols = kCols,
                                               .scale = 1.0f / 255},
                                    .subset = subset_in.view(),
                                    .batch = batch.matrix(),
                                    .rows_per_step = kPerStep,
                                    .state = state.view().data});
    });
    const std::vector<float> actual = batch.values();
    for (int64_t b = 0; b < batch_rows; ++b) {
      const uint64_t at = kernels::permuted_index(
          3, kernels::kStreamShuffle, 4, (kPerStep + static_cast<uint64_t>(b)) % size, size);
      for (int64_t f = 0; f < kCols; ++f)
        ASSERT_EQ(actual[b * kCols + f], 1.0f / 255 * float(bytes[subset[at] * kCols + f]));
    }
  }
}

TEST_P(BatchContractTest, GatherRowsCopiesASubsetOrARange) {
  constexpr int64_t kRows = 40, kCols = 33;
  const std::vector<float> values = random_values(kRows * kCols, 1);
  const std::vector<int32_t> subset = {9, 3, 39, 0, 3, 11, 12, 13, 14, 15, 16};
  for (const bool has_subset : {false, true}) {
    Guarded<float> source(values, device());
    Guarded<int32_t> subset_in(subset, device());
    auto batch = Guarded<float>::out(9, kCols, device());
    run([&](auto& context) {
      kernels::gather_rows(context,
                           {.source = {.values = source.view().data, .rows = kRows, .cols = kCols},
                            .subset = has_subset ? subset_in.view() : VectorView<const int32_t>{},
                            .first = 2,
                            .batch = batch.matrix()});
    });
    const std::vector<float> actual = batch.values();
    for (int64_t b = 0; b < 9; ++b)
      for (int64_t f = 0; f < kCols; ++f)
        ASSERT_EQ(actual[b * kCols + f], values[(has_subset ? subset[2 + b] : 2 + b) * kCols + f]);
  }
}

}  // namespace
}  // namespace tessera
