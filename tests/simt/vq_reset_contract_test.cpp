#include <algorithm>

#include "tessera/group_table.h"
#include "tessera/kernels/permutation.h"
#include "tessera/kernels/vq_update.h"
#include "testing/backends.h"
#include "testing/guarded.h"

namespace tessera {
namespace {

using kernels::VqGroup;
using testing::Guarded;
using testing::random_values;

class VqResetContractTest : public testing::BackendTest {
 protected:
  std::vector<VqGroup> groups = {{3, 8}, {5, 40}, {2, 3}, {1, 300}};
  VqGroup::Sizes sizes = VqGroup::pack(groups);
  std::vector<float> counts,
      sums = random_values(sizes.codebooks, 2), first = random_values(sizes.codebooks, 3),
      second = random_values(sizes.codebooks, 4), books = random_values(sizes.codebooks, 5);

  // Counts of 10 but for one code in three, which has 0 or 0.25: ties, and more than one batch row.
  void SetUp() override {
    BackendTest::SetUp();
    for (int64_t k = 0; k < sizes.codes; ++k)
      counts.push_back(k % 3 != 0 ? 10.0f : (k % 2 ? 0.25f : 0.0f));
  }

  void check(uint64_t step, int64_t rows, float max_fraction, bool has_optional) {
    const std::vector<float> latents = random_values(rows * sizes.latents, 6);
    const GroupTable<VqGroup> table(groups, device());
    Guarded<float> z(latents, rows, sizes.latents, device());
    Guarded<float> n(counts, device()), m(sums, device()), m1(first, device()),
        m2(second, device());
    Guarded<float> e(books, device());
    Guarded<int64_t> resets(std::vector<int64_t>{100}, device());
    Guarded<StepState> state(std::vector<StepState>{{.seed = 8, .step = step, .now = {}}},
                             device());
    run([&](auto& context) {
      kernels::vq_reset_dead_codes(
          context, {.groups = table.view(),
                    .latents = z.matrix_view(),
                    .counts = n.vector(),
                    .sums = has_optional ? m.vector() : VectorView<float>{},
                    .first_moment = has_optional ? m1.vector() : VectorView<float>{},
                    .second_moment = has_optional ? m2.vector() : VectorView<float>{},
                    .codebooks = e.vector(),
                    .resets = resets.vector(),
                    .state = state.view().data,
                    .interval = 20,
                    .threshold = 0.1f,
                    .max_fraction = max_fraction});
    });
    replace(step, rows, max_fraction, has_optional, latents);
    EXPECT_EQ(n.values(), counts);
    EXPECT_EQ(e.values(), books);
    EXPECT_EQ(m.values(), sums);
    EXPECT_EQ(m1.values(), first);
    EXPECT_EQ(m2.values(), second);
    EXPECT_EQ(resets.values()[0], 100 + replaced);
  }

  // The definition, on the vectors of this fixture.
  void replace(uint64_t step, int64_t rows, float max_fraction, bool has_optional,
               const std::vector<float>& latents) {
    if (step % 20 != 0 || rows == 0) return;
    for (size_t g = 0; g < groups.size(); ++g) {
      const VqGroup& group = groups[g];
      float* n = &counts[group.code_begin];
      double total = 0;
      for (int32_t k = 0; k < group.codebook_size; ++k) total += n[k];
      const double mean = total / group.codebook_size;
      std::vector<int32_t> dead;
      for (int32_t k = 0; k < group.codebook_size; ++k)
        if (n[k] < double(0.1f) * mean) dead.push_back(k);
      std::stable_sort(dead.begin(), dead.end(), [&](int a, int b) { return n[a] < n[b]; });
      dead.resize(
          std::min(dead.size(), static_cast<size_t>(double(max_fraction) * group.codebook_size)));
      for (size_t j = 0; j < dead.size(); ++j) {
        const uint64_t row =
            kernels::permuted_index(8, kernels::kStreamDeadCodes + static_cast<uint32_t>(g), step,
                                    j % static_cast<uint64_t>(rows), static_cast<uint64_t>(rows));
        n[dead[j]] = static_cast<float>(mean);
        for (int32_t d = 0; d < group.dim; ++d) {
          const int64_t i = group.codebook_begin + dead[j] * group.dim + d;
          books[i] = latents[row * sizes.latents + group.latent_begin + d];
          if (!has_optional) continue;
          sums[i] = static_cast<float>(mean) * books[i];
          first[i] = second[i] = 0;
        }
        ++replaced;
      }
    }
  }
  int64_t replaced = 0;
};
TESSERA_FOR_EACH_BACKEND(VqResetContractTest);

TEST_P(VqResetContractTest, ReplacesTheSmallestCountsByRowsOfTheBatch) {
  check(40, 33, 0.25f, true);
}
TEST_P(VqResetContractTest, ReplacesAllDeadCodesWhereTheFractionAllows) { check(40, 33, 1, true); }
TEST_P(VqResetContractTest, TakesRowsAgainWhereTheBatchIsSmall) { check(20, 2, 1, true); }
TEST_P(VqResetContractTest, SkipsSumsAndMomentsThatAreNull) { check(40, 33, 0.25f, false); }
TEST_P(VqResetContractTest, DoesNothingBetweenChecks) {
  check(41, 33, 1, true);
  EXPECT_EQ(replaced, 0);
}
TEST_P(VqResetContractTest, DoesNothingWithoutRows) { check(40, 0, 1, true); }

}  // namespace
}  // namespace tessera
