#include <limits>

#include "kernels/vq_groups.h"
#include "tessera/kernels/vq_update.h"
#include "testing/determinism.h"

namespace tessera::kernels {
namespace {

constexpr float kDecay = 0.9f, kEpsilon = 1e-3f;

/// N, M and e of all codebooks, and what a batch brings.
struct EmaState {
  std::vector<float> counts, sums, codebooks, batch_counts, batch_sums;
};

class VqEmaUpdateTest : public VqGroupsTest {
 protected:
  static EmaState random_state() {
    return {testing::uniform<float>(kCodes, 1, 0.01, 9), testing::uniform<float>(kFlat, 2, -9, 9),
            testing::uniform<float>(kFlat, 3), testing::uniform<float>(kCodes, 4, 0, 20),
            testing::uniform<float>(kFlat, 5, -20, 20)};
  }
  EmaState updated(const EmaState& from, float decay = kDecay, float epsilon = kEpsilon) {
    const auto batch_counts = upload(from.batch_counts), batch_sums = upload(from.batch_sums);
    auto counts = upload(from.counts), sums = upload(from.sums), books = upload(from.codebooks);
    on_device(device(), [&](auto& context) {
      vq_ema_update(context, {.groups = table_->view(),
                              .batch_counts = batch_counts.view(),
                              .batch_sums = batch_sums.view(),
                              .counts = counts.mutable_view(),
                              .sums = sums.mutable_view(),
                              .codebooks = books.mutable_view(),
                              .decay = decay,
                              .epsilon = epsilon});
    });
    return {counts.to_host(), sums.to_host(), books.to_host(), from.batch_counts, from.batch_sums};
  }
};
TESSERA_FOR_EACH_BACKEND(VqEmaUpdateTest);

TEST_P(VqEmaUpdateTest, MatchesItsFormula) {
  const EmaState from = random_state(), found = updated(from);
  std::vector<double> totals(kGroups), counts(kCodes);
  for (size_t g = 0; g < kGroups; ++g)
    for (int32_t k = 0; k < groups_[g].codebook_size; ++k) {
      const size_t at = static_cast<size_t>(groups_[g].code_begin + k);
      counts[at] = kDecay * from.counts[at] + (1 - double(kDecay)) * from.batch_counts[at];
      totals[g] += counts[at];
    }
  testing::expect_close(found.counts, counts, 3e-7);
  for_elements([&](size_t g, int32_t k, int32_t, size_t at) {
    const double sum = kDecay * from.sums[at] + (1 - double(kDecay)) * from.batch_sums[at];
    const double size = groups_[g].codebook_size;
    const double smoothed = (counts[static_cast<size_t>(groups_[g].code_begin + k)] + kEpsilon) /
                            (totals[g] + size * kEpsilon) * totals[g];
    ASSERT_NEAR(found.sums[at], sum, 2e-6) << at;
    ASSERT_NEAR(found.codebooks[at], sum / smoothed, 1e-6 * std::max(1.0, 10 / smoothed)) << at;
  });
}

TEST_P(VqEmaUpdateTest, CodesThatReceiveTheirOwnMeanStay) {
  EmaState state = random_state();
  for_elements([&](size_t g, int32_t k, int32_t, size_t at) {
    const size_t code = static_cast<size_t>(groups_[g].code_begin + k);
    state.sums[at] = state.counts[code] * state.codebooks[at];
    state.batch_sums[at] = state.batch_counts[code] * state.codebooks[at];
  });
  const EmaState found = updated(state, 0.99f, 1e-7f);
  for_elements([&](size_t, int32_t, int32_t, size_t at) {
    ASSERT_NEAR(found.codebooks[at], state.codebooks[at], 5e-5) << at;
  });
}

TEST_P(VqEmaUpdateTest, ACodeThatReceivesNothingStaysUpToTheSmoothing) {
  EmaState state = random_state();
  for_elements([&](size_t g, int32_t k, int32_t, size_t at) {
    const size_t code = static_cast<size_t>(groups_[g].code_begin + k);
    state.sums[at] = state.counts[code] * state.codebooks[at];
    state.batch_sums[at] = 0;
    state.batch_counts[code] = 0;
  });
  const EmaState found = updated(state, 0.99f, 1e-5f);
  for_elements([&](size_t g, int32_t k, int32_t, size_t at) {
    const float count = state.counts[static_cast<size_t>(groups_[g].code_begin + k)];
    ASSERT_NEAR(found.codebooks[at], state.codebooks[at], 1e-6 + 2e-5 / count) << at;
  });
}

TEST_P(VqEmaUpdateTest, ACodebookThatHasSeenNothingKeepsItsRows) {
  EmaState state = random_state();
  std::fill(state.counts.begin(), state.counts.end(), 0.0f);
  std::fill(state.batch_counts.begin(), state.batch_counts.end(), 0.0f);
  EXPECT_EQ(updated(state).codebooks, state.codebooks);
  EXPECT_EQ(updated(state, kDecay, 0).codebooks, state.codebooks);
}

TEST_P(VqEmaUpdateTest, CountsOfOneCodebookDoNotReachAnother) {
  EmaState state = random_state();
  const EmaState base = updated(state);
  state.batch_counts[0] += 100;  // of the first codebook
  const EmaState found = updated(state);
  EXPECT_NE(found.codebooks[3], base.codebooks[3]);
  for (size_t at = 64; at < kFlat; ++at) ASSERT_EQ(found.codebooks[at], base.codebooks[at]) << at;
}

TEST_P(VqEmaUpdateTest, CpuHasTheSameBitsForAnyThreadsAndInstructions) {
  if (device().type != DeviceType::Cpu) GTEST_SKIP() << "about the CPU";
  testing::expect_same_bits_everywhere([&] { return updated(random_state()).codebooks; });
}

class VqCountUpdateTest : public VqGroupsTest {};
TESSERA_FOR_EACH_BACKEND(VqCountUpdateTest);

TEST_P(VqCountUpdateTest, MatchesItsFormula) {
  const auto batch = testing::uniform<float>(40000, 1, 0, 50),
             old = testing::uniform<float>(40000, 2, 0, 9);
  const auto batch_buffer = upload(batch);
  auto counts = upload(old);
  on_device(device(), [&](auto& context) {
    vq_count_update(
        context,
        {.batch_counts = batch_buffer.view(), .counts = counts.mutable_view(), .decay = kDecay});
  });
  std::vector<double> expected;
  for (size_t k = 0; k < batch.size(); ++k)
    expected.push_back(kDecay * old[k] + (1 - double(kDecay)) * batch[k]);
  testing::expect_close(counts.to_host(), expected, 3e-7);
}

}  // namespace
}  // namespace tessera::kernels
