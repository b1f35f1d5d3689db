#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "kernels/vq_groups.h"
#include "tessera/kernels/permutation.h"
#include "tessera/kernels/vq_update.h"

namespace tessera::kernels {
namespace {

constexpr int32_t kSize = 8, kDim = 2;
constexpr int64_t kRows = 50;

/// What the kernel may change, of one codebook of 8 codes.
struct CodeState {
  std::vector<float> counts, sums, first, second, books;
  std::vector<int64_t> resets = {0};
};
struct ResetOptions {
  uint64_t step = 40, seed = 11;
  int64_t interval = 20, rows = kRows;
  float threshold = 0.1f, max_fraction = 0.5f;
};

class VqResetDeadCodesTest : public testing::BackendTest {
 protected:
  void SetUp() override {
    BackendTest::SetUp();
    if (IsSkipped()) return;
    std::vector<VqGroup> groups = {{.dim = kDim, .codebook_size = kSize}};
    VqGroup::pack(groups);
    table_ = std::make_unique<GroupTable<VqGroup>>(groups, device());
  }
  static CodeState with_counts(std::vector<float> counts) {
    return {std::move(counts), std::vector<float>(16, -1.0f), std::vector<float>(16, -2.0f),
            std::vector<float>(16, -3.0f), std::vector<float>(16, -4.0f)};
  }
  CodeState run(const CodeState& from, const ResetOptions& options = {}) {
    const auto upload = [&]<class T>(const std::vector<T>& values) {
      return Buffer<T>::from_host(values, device());
    };
    const StepState host{.seed = options.seed, .step = options.step, .now = {}};
    const auto state = Buffer<StepState>::from_host({&host, 1}, device());
    const auto latents = upload(latents_);
    auto counts = upload(from.counts), sums = upload(from.sums), first = upload(from.first),
         second = upload(from.second), books = upload(from.books);
    auto resets = upload(from.resets);
    on_device(device(), [&](auto& context) {
      vq_reset_dead_codes(context, {.groups = table_->view(),
                                    .latents = {latents.data(), options.rows, kDim, kDim},
                                    .counts = counts.mutable_view(),
                                    .sums = sums.mutable_view(),
                                    .first_moment = first.mutable_view(),
                                    .second_moment = second.mutable_view(),
                                    .codebooks = books.mutable_view(),
                                    .resets = resets.mutable_view(),
                                    .state = state.data(),
                                    .interval = options.interval,
                                    .threshold = options.threshold,
                                    .max_fraction = options.max_fraction});
    });
    return {counts.to_host(), sums.to_host(),  first.to_host(),
            second.to_host(), books.to_host(), resets.to_host()};
  }
  /// Codes whose row is no longer -4.
  static std::set<int> replaced(const CodeState& state) {
    std::set<int> codes;
    for (int k = 0; k < kSize; ++k)
      if (state.books[static_cast<size_t>(k * kDim)] != -4.0f) codes.insert(k);
    return codes;
  }
  /// The row of the batch that the j-th replaced code gets.
  std::vector<float> drawn(uint64_t j, const ResetOptions& options = {}) const {
    const uint64_t rows = static_cast<uint64_t>(options.rows);
    const uint64_t n = permuted_index(options.seed, kStreamDeadCodes, options.step, j % rows, rows);
    return {latents_[n * kDim], latents_[n * kDim + 1]};
  }
  static std::vector<float> row(const std::vector<float>& of, int k) {
    return {of[static_cast<size_t>(k * kDim)], of[static_cast<size_t>(k * kDim + 1)]};
  }
  std::vector<float> latents_ = testing::uniform<float>(kRows * kDim, 1);
  std::unique_ptr<GroupTable<VqGroup>> table_;
};
TESSERA_FOR_EACH_BACKEND(VqResetDeadCodesTest);

TEST_P(VqResetDeadCodesTest, ReplacesCodeCountSumAndMoments) {
  const CodeState from = with_counts({10, 10, 0.5f, 10, 10, 10, 10, 19.5f});  // mean 10
  const CodeState found = run(from);
  EXPECT_EQ(replaced(found), std::set<int>{2});
  EXPECT_EQ(row(found.books, 2), drawn(0));
  EXPECT_EQ(found.counts[2], 10.0f);
  EXPECT_EQ(row(found.sums, 2), (std::vector<float>{10 * drawn(0)[0], 10 * drawn(0)[1]}));
  EXPECT_EQ(row(found.first, 2), (std::vector<float>{0, 0}));
  EXPECT_EQ(row(found.second, 2), (std::vector<float>{0, 0}));
  EXPECT_EQ(found.resets[0], 1);
}

TEST_P(VqResetDeadCodesTest, LeavesTheOtherCodesAlone) {
  const CodeState from = with_counts({10, 10, 0.5f, 10, 10, 10, 10, 19.5f}), found = run(from);
  for (int k = 0; k < kSize; ++k) {
    if (k == 2) continue;
    EXPECT_EQ(found.counts[static_cast<size_t>(k)], from.counts[static_cast<size_t>(k)]);
    for (const auto member :
         {&CodeState::sums, &CodeState::first, &CodeState::second, &CodeState::books})
      EXPECT_EQ(row(found.*member, k), row(from.*member, k)) << k;
  }
}

TEST_P(VqResetDeadCodesTest, DeadIsBelowTheThresholdNotAtIt) {
  const ResetOptions quarter{.threshold = 0.25f};  // of a mean of 10
  const float below = std::nextafter(2.5f, 0.0f);
  EXPECT_TRUE(replaced(run(with_counts({2.5f, 10, 10, 10, 10, 10, 10, 17.5f}), quarter)).empty());
  EXPECT_EQ(replaced(run(with_counts({below, 10, 10, 10, 10, 10, 10, 17.5f}), quarter)),
            std::set<int>{0});
}

TEST_P(VqResetDeadCodesTest, RunsAtMultiplesOfTheIntervalAlone) {
  const CodeState from = with_counts({0, 10, 10, 10, 10, 10, 10, 10});
  for (const uint64_t step : {20u, 40u, 2000u})
    EXPECT_EQ(run(from, {.step = step}).resets[0], 1) << step;
  for (const uint64_t step : {1u, 19u, 21u, 39u, 2001u})
    EXPECT_EQ(run(from, {.step = step}).resets[0], 0) << step;
}

TEST_P(VqResetDeadCodesTest, ReplacesTheSmallestFirstUpToTheFraction) {
  const CodeState from = with_counts({0.4f, 80, 0.1f, 0.3f, 0.2f, 80, 0, 80});
  const CodeState found = run(from, {.max_fraction = 0.49f});  // of 8: 3.92, rounded down
  EXPECT_EQ(replaced(found), (std::set<int>{2, 4, 6}));
  EXPECT_EQ(row(found.books, 6), drawn(0));
  EXPECT_EQ(row(found.books, 2), drawn(1));
  EXPECT_EQ(row(found.books, 4), drawn(2));
  EXPECT_EQ(found.resets[0], 3);
}

TEST_P(VqResetDeadCodesTest, TiesGoToTheLowerIndex) {
  const CodeState found = run(with_counts({80, 0, 0, 80, 0, 0, 80, 0}), {.max_fraction = 0.375f});
  EXPECT_EQ(replaced(found), (std::set<int>{1, 2, 4}));
  EXPECT_EQ(row(found.books, 1), drawn(0));
  EXPECT_EQ(row(found.books, 2), drawn(1));
  EXPECT_EQ(row(found.books, 4), drawn(2));
}

TEST_P(VqResetDeadCodesTest, RowsAreDistinctUntilTheBatchHasNoMore) {
  const CodeState from = with_counts({0, 0, 0, 0, 0, 0, 0, 80});
  const CodeState many = run(from, {.max_fraction = 1});
  std::set<std::vector<float>> rows;
  for (int k = 0; k < 7; ++k) rows.insert(row(many.books, k));
  EXPECT_EQ(rows.size(), 7u);
  const ResetOptions few{.rows = 3, .max_fraction = 1};
  const CodeState found = run(from, few);
  for (int k = 0; k < 7; ++k) EXPECT_EQ(row(found.books, k), drawn(static_cast<uint64_t>(k), few));
  EXPECT_EQ(row(found.books, 0), row(found.books, 3));
}

TEST_P(VqResetDeadCodesTest, DrawsChangeWithSeedAndStep) {
  const CodeState from = with_counts({0, 0, 0, 80, 80, 80, 80, 80});
  const auto books = run(from).books;
  EXPECT_EQ(books, run(from).books);
  EXPECT_NE(books, run(from, {.seed = 12}).books);
  EXPECT_NE(books, run(from, {.step = 60}).books);
}

TEST_P(VqResetDeadCodesTest, AnEmptyBatchReplacesNothing) {
  const CodeState from = with_counts({0, 10, 10, 10, 10, 10, 10, 10});
  EXPECT_EQ(run(from, {.rows = 0}).books, from.books);
}

TEST_P(VqResetDeadCodesTest, CodesOfSeveralCodebooksAreJudgedApartAndCountedTogether) {
  std::vector<VqGroup> groups = {{.dim = 2, .codebook_size = 4}, {.dim = 1, .codebook_size = 4}};
  VqGroup::pack(groups);
  const GroupTable<VqGroup> table(groups, device());
  const auto latents = testing::uniform<float>(kRows * 3, 5);
  const auto latent_buffer = Buffer<float>::from_host(latents, device());
  // Means 25 and 0.25: a count of 0.2 is dead in the first codebook and alive in the second.
  auto counts = Buffer<float>::from_host(
      std::vector<float>{0.2f, 33, 33, 33.8f, 0.2f, 0.2f, 0.6f, 0}, device());
  auto books = Buffer<float>::from_host(std::vector<float>(12, -4.0f), device());
  auto resets = Buffer<int64_t>::from_host(std::vector<int64_t>{5}, device());
  const StepState host{.seed = 1, .step = 20, .now = {}};
  const auto state = Buffer<StepState>::from_host({&host, 1}, device());
  on_device(device(), [&](auto& context) {
    vq_reset_dead_codes(context, {.groups = table.view(),
                                  .latents = {latent_buffer.data(), kRows, 3, 3},
                                  .counts = counts.mutable_view(),
                                  .sums = {},
                                  .first_moment = {},
                                  .second_moment = {},
                                  .codebooks = books.mutable_view(),
                                  .resets = resets.mutable_view(),
                                  .state = state.data(),
                                  .interval = 20,
                                  .threshold = 0.1f,
                                  .max_fraction = 0.25f});
  });
  const std::vector<float> found = books.to_host();
  const uint64_t first = permuted_index(1, kStreamDeadCodes, 20, 0, kRows),
                 second = permuted_index(1, kStreamDeadCodes + 1, 20, 0, kRows);
  EXPECT_EQ(found[0], latents[first * 3]);
  EXPECT_EQ(found[1], latents[first * 3 + 1]);
  EXPECT_EQ(found[8 + 3], latents[second * 3 + 2]);
  EXPECT_EQ(std::count(found.begin(), found.end(), -4.0f), 9);
  EXPECT_EQ(resets.to_host()[0], 7);
}

}  // namespace
}  // namespace tessera::kernels
