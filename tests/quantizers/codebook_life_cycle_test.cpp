// The life of an EMA codebook (kernels/vq_update.h): start, first step, dead codes, recovery. Four
// statements about it must hold, and each known fault of other implementations, planted here by
// editing the state between steps, must break one of them.

#include "quantizers/codebook_life.h"

namespace tessera::codebook_life {
namespace {

bool is_close(double found, double expected, double tolerance) {
  return std::abs(found - expected) <= tolerance * std::max(1.0, std::abs(expected));
}

/// (a) After initialisation M / N is the code, whatever the start.
bool sums_over_counts_are_the_codes(const Rules* rules) {
  for (const std::string_view start : {kGoodStart, kBadStart}) {
    const Book book = Life(rules, start).book();
    for (size_t i = 0; i < book.codes.size(); ++i)
      if (!is_close(double(book.sums[i]) / book.counts[i / kDim], book.codes[i], 1e-6))
        return false;
  }
  return true;
}

/// (b) One step does not undo a good start.
bool first_step_keeps_the_error(const Rules* rules) {
  Life life(rules, kGoodStart);
  const double before = life.error_and_use().first;
  life.step();
  return life.error_and_use().first <= 1.1 * before;
}

/// (c) A dead code becomes a row of the batch, with the count and sum of an average code, and the
/// next update moves it, and all others, as the running averages say.
bool reset_lasts_through_the_next_update(const Rules* rules) {
  constexpr size_t kDead = 5;
  Life life(rules, kGoodStart);
  life.edit([](Book& book) {  // far from all rows, and rarely used
    book.counts[kDead] = 0.01f;
    for (size_t i = kDead * kDim; i < (kDead + 1) * kDim; ++i) {
      book.codes[i] = 100;
      book.sums[i] = 1;
    }
  });
  while (life.steps_done() < kInterval) life.step();
  const Book reset = life.book();
  const float* code = &reset.codes[kDead * kDim];
  const std::vector<float> rows = batch_of(kInterval);
  bool is_row = false;
  for (size_t n = 0; n < kBatch; ++n) is_row |= std::equal(code, code + kDim, &rows[n * kDim]);
  if (!is_row) return false;
  for (size_t d = 0; d < kDim; ++d)
    if (!is_close(reset.sums[kDead * kDim + d], double(reset.counts[kDead]) * code[d], 1e-6))
      return false;
  life.step();
  const Book next = life.book();
  const BatchSums batch = assign(reset, batch_of(kInterval + 1));
  constexpr double kOld = float(kDecay), kNew = 1 - kOld;
  double total = 0;
  for (size_t k = 0; k < kClusters; ++k) total += kOld * reset.counts[k] + kNew * batch.counts[k];
  for (size_t k = 0; k < kClusters; ++k) {
    const double count = kOld * reset.counts[k] + kNew * batch.counts[k];
    // A few roundings of 2^-24; storing smoothed counts moves them by epsilon / N, 1e-5 and more.
    if (std::abs(next.counts[k] - count) > 1e-6 * count) return false;
    const double smoothed = (count + kEpsilon) / (total + kClusters * kEpsilon) * total;
    for (size_t i = k * kDim; i < (k + 1) * kDim; ++i) {
      const double sum = kOld * reset.sums[i] + kNew * batch.sums[i];
      if (!is_close(next.sums[i], sum, 1e-6) || !is_close(next.codes[i], sum / smoothed, 1e-5))
        return false;
    }
  }
  return true;
}

/// (d) A bad start is overcome: at most 5 % above the best k-means, every code in use.
bool recovers_from_a_bad_start(const Rules* rules) {
  Life life(rules, kBadStart);
  while (life.steps_done() < kSteps) life.step();
  const auto [error, used] = life.error_and_use();
  return error <= 1.05 * lloyd_error() && used == kClusters;
}

TEST(CodebookLifeCycleTest, SumsOverCountsAreTheCodesAfterInitialisation) {
  EXPECT_TRUE(sums_over_counts_are_the_codes(nullptr));
}
TEST(CodebookLifeCycleTest, TheFirstStepKeepsTheErrorOfTheStart) {
  EXPECT_TRUE(first_step_keeps_the_error(nullptr));
}
TEST(CodebookLifeCycleTest, AResetCodeIsTheDrawnRowThroughTheNextUpdate) {
  EXPECT_TRUE(reset_lasts_through_the_next_update(nullptr));
}
TEST(CodebookLifeCycleTest, ABadStartIsOvercomeInAThousandSteps) {
  EXPECT_TRUE(recovers_from_a_bad_start(nullptr));
}

TEST(CodebookLifeCycleTest, TheRulesOfThisTestHoldAllFourStatements) {
  const Rules right;
  EXPECT_TRUE(sums_over_counts_are_the_codes(&right));
  EXPECT_TRUE(first_step_keeps_the_error(&right));
  EXPECT_TRUE(reset_lasts_through_the_next_update(&right));
  EXPECT_TRUE(recovers_from_a_bad_start(&right));
}

/// The sums start as the means, while counts are counts (encodec, audiocraft).
struct SumsStartAsMeans : Rules {
  static constexpr std::string_view kBreaks = "ab";
  void after_initialize(Book& book) const override { book.sums = book.codes; }
};
/// Expiry edits the codebook; the next update computes it again from the old sums (encodec).
struct ExpiryForgetsTheSums : Rules {
  static constexpr std::string_view kBreaks = "c";
  void expire(Book& book, size_t k, const float* row, float) const override {
    set_code(book, k, row);
  }
};
/// Counts are smoothed in place, so the smoothing adds up over steps.
struct SmoothedCountsAreStored : Rules {
  static constexpr std::string_view kBreaks = "c";
  void after_update(Book& book) const override {
    double total = 0;
    for (const float count : book.counts) total += count;
    for (float& count : book.counts)
      count = float((count + kEpsilon) / (total + kClusters * kEpsilon) * total);
  }
};
/// Codes that the first batch does not use start with N = 0 and M = e: the first update divides
/// them by epsilon.
struct UnusedCodesStartAtZero : Rules {
  static constexpr std::string_view kBreaks = "a";
  void after_initialize(Book& book) const override {
    const BatchSums batch = assign(book, batch_of(1));
    for (size_t k = 0; k < kClusters; ++k) {
      if (batch.counts[k] > 0) continue;
      book.counts[k] = 0;
      std::copy_n(&book.codes[k * kDim], kDim, &book.sums[k * kDim]);
    }
  }
};
/// A reset code gets the row as its sum, but the median as its count: it shrinks or explodes.
struct ResetSumIsTheRow : Rules {
  static constexpr std::string_view kBreaks = "cd";
  void expire(Book& book, size_t k, const float* row, float) const override {
    std::vector<float> sorted = book.counts;
    std::nth_element(sorted.begin(), sorted.begin() + kClusters / 2, sorted.end());
    set_code(book, k, row);
    std::copy_n(row, kDim, &book.sums[k * kDim]);
    book.counts[k] = sorted[kClusters / 2];
  }
};

template <class Fault>
class CodebookFaultTest : public ::testing::Test {};
using Faults = ::testing::Types<SumsStartAsMeans, ExpiryForgetsTheSums, SmoothedCountsAreStored,
                                UnusedCodesStartAtZero, ResetSumIsTheRow>;
TYPED_TEST_SUITE(CodebookFaultTest, Faults);

TYPED_TEST(CodebookFaultTest, BreaksItsStatements) {
  using Statement = bool (*)(const Rules*);
  const std::pair<char, Statement> statements[] = {{'a', sums_over_counts_are_the_codes},
                                                   {'b', first_step_keeps_the_error},
                                                   {'c', reset_lasts_through_the_next_update},
                                                   {'d', recovers_from_a_bad_start}};
  const TypeParam fault;
  for (const auto& [name, holds] : statements)
    EXPECT_FALSE(TypeParam::kBreaks.find(name) != std::string_view::npos && holds(&fault)) << name;
}

}  // namespace
}  // namespace tessera::codebook_life
