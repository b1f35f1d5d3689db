#include "tessera/quantizer.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "tessera/ops.h"
#include "tessera/step.h"
#include "testing/backends.h"
#include "testing/numbers.h"

namespace tessera {
namespace {

constexpr int64_t kRows = 300, kColumns = 5;

/// Two codebooks of different sizes over five columns.
class QuantizerTest : public testing::BackendTest {
 protected:
  VqTable table() const {
    std::vector<kernels::VqGroup> groups = {{.dim = 3, .codebook_size = 7},
                                            {.dim = 2, .codebook_size = 10}};
    kernels::VqGroup::pack(groups);
    return {groups, device()};
  }
  /// A new quantizer with a new group.
  std::unique_ptr<Quantizer> make(const QuantizerOptions& options) {
    group_ = std::make_unique<ParameterGroup>("codebook", kCodebookGroup);
    auto made = make_quantizer(table(), options, *group_, device());
    group_->allocate(device());
    return made;
  }
  Tensor rows(uint64_t seed = 1) {
    return Tensor::from_host(kRows, kColumns, testing::normal<float>(kRows * kColumns, seed),
                             device());
  }
  /// One training step on `latents`: forward, backward where there are parameters, update.
  void step(Quantizer& quantizer, const Tensor& latents, TrainingState& state) {
    run_step(device(), [&] {
      state.advance();
      Tape tape;
      const QuantizerOutput out =
          quantizer.forward({.tape = &tape, .training = true}, Var(latents));
      if (!group_->empty()) tape.backward({{mean_squared_error(out.quantized, Var(latents))}});
      group_->adam_step(state, false);
      quantizer.update(out, latents, state);
    });
  }
  static double sum(const std::vector<float>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0);
  }
  std::unique_ptr<ParameterGroup> group_;  // of the latest quantizer
};
TESSERA_FOR_EACH_BACKEND(QuantizerTest);

TEST_P(QuantizerTest, OutputsAreTheRowsTheCodesName) {
  for (const std::string_view estimator : estimator_names()) {
    SCOPED_TRACE(estimator);
    auto quantizer = make({.estimator = std::string(estimator)});
    quantizer->initialize(rows());
    const QuantizerOutput out = quantizer->forward({}, Var(rows()));
    EXPECT_EQ(out.codes.size(), 2 * kRows);
    const auto looked_up = quantizer->lookup(out.codes, kRows).to_host();
    EXPECT_EQ(out.quantized.value().to_host(), looked_up);
    EXPECT_EQ(out.passed.value().to_host(), looked_up);
  }
}

TEST_P(QuantizerTest, StartingCountsAddUpToOneBatchAndNoneIsZero) {
  for (const char* start : {"kmeans", "normal", "uniform"}) {
    auto quantizer = make({.codebook_init = start, .batch_rows = 64});
    quantizer->initialize(rows());
    const std::vector<float> counts = quantizer->counts().to_host();
    EXPECT_GT(*std::min_element(counts.begin(), counts.end()), 0) << start;
    EXPECT_NEAR(sum({counts.begin(), counts.begin() + 7}), 64, 1e-4) << start;
    EXPECT_NEAR(sum({counts.begin() + 7, counts.end()}), 64, 1e-4) << start;
  }
}

TEST_P(QuantizerTest, CodesThatKmeansLeavesEmptyStartWithTheCountOfOneRow) {
  auto quantizer = make({.kind = "ema", .batch_rows = 30});
  const std::vector<float> equal(kRows * kColumns, 2.0f);  // one cluster takes all
  quantizer->initialize(Tensor::from_host(kRows, kColumns, equal, device()));
  const std::vector<float> counts = quantizer->counts().to_host();
  EXPECT_EQ(counts[0], 30);
  for (size_t k = 1; k < 7; ++k) EXPECT_FLOAT_EQ(counts[k], 30.0f / kRows) << k;
  EXPECT_EQ(quantizer->codebooks().to_host()[18], 2.0f);
}

TEST_P(QuantizerTest, KmeansStartIsCloserThanARandomOne) {
  const auto error_of_start = [&](const char* start) {
    auto quantizer = make({.codebook_init = start});
    quantizer->initialize(rows());
    const Tensor latents = rows();
    const QuantizerOutput out = quantizer->forward({}, Var(latents));
    return mean_squared_error(out.quantized, Var(latents)).value().to_host()[0];
  };
  EXPECT_LT(error_of_start("kmeans"), 0.7 * error_of_start("normal"));
  EXPECT_LT(error_of_start("kmeans"), 0.7 * error_of_start("uniform"));
}

TEST_P(QuantizerTest, UniformStartLiesWithinOneOverTheNumberOfCodes) {
  auto quantizer = make({.codebook_init = "uniform"});
  quantizer->initialize(rows());
  const std::vector<float> books = quantizer->codebooks().to_host();
  EXPECT_LE(*std::max_element(books.begin(), books.begin() + 21), 1.0f / 7);
  EXPECT_GT(*std::max_element(books.begin(), books.begin() + 21), 1.0f / 10);
  EXPECT_LE(*std::max_element(books.begin() + 24, books.end()), 1.0f / 10);
}

TEST_P(QuantizerTest, UsageCountsRowsUntilCleared) {
  auto quantizer = make({.dead_code = {.enabled = false}});
  quantizer->initialize(rows());
  TrainingState state(1, 1, 1, device());
  for (int i = 0; i < 3; ++i) step(*quantizer, rows(), state);
  std::vector<int64_t> usage = quantizer->usage().to_host();
  EXPECT_EQ(std::accumulate(usage.begin(), usage.end(), int64_t{0}), 3 * 2 * kRows);
  quantizer->clear_usage();
  usage = quantizer->usage().to_host();
  EXPECT_EQ(std::accumulate(usage.begin(), usage.end(), int64_t{0}), 0);
}

TEST_P(QuantizerTest, EmaMovesCodesToTheMeanOfTheirRows) {
  auto quantizer = make({.ema_decay = 0, .ema_epsilon = 1e-9, .dead_code = {.enabled = false}});
  quantizer->initialize(rows());
  const Tensor latents = rows(2);
  TrainingState state(1, 1, 1, device());
  const auto before = quantizer->forward({}, Var(latents)).codes.to_host();
  step(*quantizer, latents, state);
  const std::vector<float> books = quantizer->codebooks().to_host(), values = latents.to_host();
  std::vector<double> mean(3);
  int count = 0;
  for (size_t n = 0; n < kRows; ++n) {
    if (before[2 * n] != 4) continue;  // code 4 of the first codebook
    ++count;
    for (size_t d = 0; d < 3; ++d) mean[d] += values[n * kColumns + d];
  }
  ASSERT_GT(count, 0);
  for (size_t d = 0; d < 3; ++d) EXPECT_NEAR(books[4 * 3 + d], mean[d] / count, 1e-5);
}

TEST_P(QuantizerTest, AGradientCodebookMovesByItsGroupAlone) {
  auto quantizer = make({.kind = "gradient", .dead_code = {.enabled = false}});
  quantizer->initialize(rows());
  const std::vector<float> before = quantizer->codebooks().to_host();
  TrainingState state(1, 1, 1, device());
  step(*quantizer, rows(), state);  // the schedule's rate is 0
  EXPECT_EQ(quantizer->codebooks().to_host(), before);
  ScheduleRow row;
  row.learning_rate[kCodebookGroup] = 0.1f;
  state.write_schedule({row});
  step(*quantizer, rows(2), state);
  EXPECT_NE(quantizer->codebooks().to_host(), before);
}

TEST_P(QuantizerTest, AResetOfAGradientCodebookClearsItsMoments) {
  auto quantizer = make({.kind = "gradient", .dead_code = {.interval = 1, .max_fraction = 1}});
  quantizer->initialize(rows());
  std::vector<float> counts = quantizer->counts().to_host(),
                     books = quantizer->codebooks().to_host();
  counts[2] = 0;
  std::fill_n(books.begin() + 6, 3, 50.0f);  // code 2 lies outside, so that no row reaches it
  quantizer->counts().write(counts);
  quantizer->codebooks().write(books);
  group_->first_moment().write(std::vector<float>(static_cast<size_t>(group_->size()), 0.5f));
  TrainingState state(1, 1, 1, device());
  step(*quantizer, rows(), state);
  EXPECT_EQ(quantizer->resets(), 1);
  const std::vector<float> moments = group_->first_moment().to_host();
  EXPECT_EQ(std::vector<float>(moments.begin() + 6, moments.begin() + 9),
            std::vector<float>(3, 0.0f));
  EXPECT_NE(moments[0], 0.0f);
  EXPECT_LT(quantizer->codebooks().to_host()[6], 10.0f);
}

TEST_P(QuantizerTest, DeadCodesAreReplacedOnRequestThoughStepsReplaceNone) {
  auto quantizer = make({.dead_code = {.enabled = false}});
  quantizer->initialize(rows());
  std::vector<float> counts = quantizer->counts().to_host();
  counts[2] = counts[9] = 0;  // one in each codebook
  quantizer->counts().write(counts);
  TrainingState state(1, 1, 1, device());
  const Tensor latents = rows(2);
  run_step(device(), [&] {
    quantizer->replace_dead_codes(latents, state,
                                  {.interval = 1, .threshold = 0.1, .max_fraction = 0.5});
  });
  EXPECT_EQ(quantizer->resets(), 2);
  std::vector<NamedTensor> buffers;
  quantizer->add_buffers(buffers);
  const std::vector<float> books = quantizer->codebooks().to_host(), values = latents.to_host(),
                           sums = buffers.back().tensor.to_host();
  const float count = quantizer->counts().to_host()[2];
  bool is_row = false;
  for (int64_t n = 0; n < kRows; ++n)
    is_row |= std::equal(books.begin() + 6, books.begin() + 9, values.begin() + n * kColumns);
  EXPECT_TRUE(is_row);
  for (size_t i = 6; i < 9; ++i) EXPECT_FLOAT_EQ(sums[i], count * books[i]);
}

TEST_P(QuantizerTest, WhatACheckpointKeepsIsEnoughToGoOn) {
  for (const std::string_view kind : quantizer_names()) {
    SCOPED_TRACE(kind);
    const auto run = [&](int split) {  // three steps, with a copy to a new object before `split`
      auto quantizer = make({.kind = std::string(kind), .dead_code = {.interval = 2}});
      quantizer->initialize(rows());
      TrainingState state(1, 1, 1, device());
      for (int i = 0; i < 3; ++i) {
        if (i == split) {
          std::vector<NamedTensor> saved, fresh;
          quantizer->add_buffers(saved);
          std::vector<std::vector<float>> values;
          for (NamedTensor& buffer : saved) values.push_back(buffer.tensor.to_host());
          quantizer = make({.kind = std::string(kind), .dead_code = {.interval = 2}});
          quantizer->add_buffers(fresh);
          for (size_t b = 0; b < fresh.size(); ++b) fresh[b].tensor.write(values[b]);
        }
        step(*quantizer, rows(static_cast<uint64_t>(i) + 5), state);
      }
      return quantizer->codebooks().to_host();
    };
    EXPECT_EQ(run(1), run(-1));
  }
}

TEST_P(QuantizerTest, RowsThatAreNotFiniteAreCounted) {
  auto quantizer = make({});
  quantizer->initialize(rows());
  std::vector<float> values = rows().to_host();
  values[7] = std::numeric_limits<float>::quiet_NaN();
  values[40] = std::numeric_limits<float>::infinity();
  const Tensor latents = Tensor::from_host(kRows, kColumns, values, device());
  EXPECT_EQ(quantizer->rows_not_finite(), 0);
  quantizer->forward({}, Var(latents));
  EXPECT_EQ(quantizer->rows_not_finite(), 2);
}

TEST_P(QuantizerTest, UnknownNamesAreRefusedWithTheKnownOnes) {
  const auto error_with = [&](const QuantizerOptions& options) {
    return testing::error_of([&] { make(options)->initialize(rows()); });
  };
  EXPECT_NE(error_with({.kind = "vq"}).find("ema, gradient"), std::string::npos);
  EXPECT_NE(error_with({.estimator = "ste"}).find("straight_through, rotation"), std::string::npos);
  EXPECT_NE(error_with({.codebook_init = "zeros"}).find("kmeans, normal or uniform"),
            std::string::npos);
}

TEST_P(QuantizerTest, OneCodebookIsATableOfOne) {
  const VqTable one = one_codebook(12, 7, device());
  ASSERT_EQ(one.size(), 1);
  EXPECT_EQ(one.groups()[0].codebook_size, 12);
  EXPECT_EQ(one.groups()[0].dim, 7);
}

}  // namespace
}  // namespace tessera
