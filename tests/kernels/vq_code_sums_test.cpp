
#include "kernels/vq_groups.h"
#include "tessera/kernels/vq_update.h"
#include "testing/determinism.h"
#include "testing/numbers.h"

namespace tessera::kernels {
namespace {

using testing::kNan;

class VqLookupTest : public VqGroupsTest {};
TESSERA_FOR_EACH_BACKEND(VqLookupTest);

TEST_P(VqLookupTest, CopiesTheRowsTheCodesName) {
  constexpr int64_t kRows = 131;
  const auto codes = random_codes(kRows, 1);
  const auto books = testing::uniform<float>(kFlat, 2);
  const auto code_buffer = upload(codes);
  const auto book_buffer = upload(books);
  auto quantized = upload(std::vector<float>(kRows * kColumns, kNan));
  on_device(device(), [&](auto& context) {
    vq_lookup(context, {.groups = table_->view(),
                        .codes = code_view(code_buffer),
                        .codebooks = book_buffer.view(),
                        .quantized = rows_of(quantized.data(), kRows)});
  });
  std::vector<float> expected;
  for (size_t n = 0; n < kRows; ++n)
    for (size_t g = 0; g < kGroups; ++g)
      for (int32_t d = 0; d < groups_[g].dim; ++d)
        expected.push_back(books[static_cast<size_t>(groups_[g].codebook_begin +
                                                     codes[n * kGroups + g] * groups_[g].dim + d)]);
  EXPECT_EQ(quantized.to_host(), expected);
}

class VqCodeSumsTest : public VqGroupsTest {
 protected:
  struct Result {
    std::vector<float> counts, sums;
    std::vector<int64_t> usage;
  };
  Result run(int64_t rows, const std::vector<int32_t>& codes, const std::vector<float>& values,
             float beta = 0, float scale = 1, float old = kNan) {
    const auto code_buffer = upload(codes);
    const auto row_buffer = upload(values);
    auto counts = upload(std::vector<float>(kCodes, kNan)),
         sums = upload(std::vector<float>(kFlat, old));
    auto usage = upload(std::vector<int64_t>(kCodes, 1000));
    on_device(device(), [&](auto& context) {
      vq_code_sums(context, {.groups = table_->view(),
                             .codes = code_view(code_buffer),
                             .rows = rows_of(row_buffer.data(), rows),
                             .counts = counts.mutable_view(),
                             .sums = sums.mutable_view(),
                             .usage = usage.mutable_view(),
                             .beta = beta,
                             .scale = scale});
    });
    return {counts.to_host(), sums.to_host(), usage.to_host()};
  }
  /// Counts and sums as the contract says.
  std::pair<std::vector<double>, std::vector<double>> expected(
      const std::vector<int32_t>& codes, const std::vector<float>& values) const {
    std::vector<double> counts(kCodes), sums(kFlat);
    for (size_t n = 0; n < codes.size() / kGroups; ++n)
      for (size_t g = 0; g < kGroups; ++g) {
        const VqGroup& group = groups_[g];
        const int32_t code = codes[n * kGroups + g];
        ++counts[static_cast<size_t>(group.code_begin + code)];
        for (int32_t d = 0; d < group.dim; ++d)
          sums[static_cast<size_t>(group.codebook_begin + code * group.dim + d)] +=
              values[n * kColumns + static_cast<size_t>(group.latent_begin + d)];
      }
    return {counts, sums};
  }
};
TESSERA_FOR_EACH_BACKEND(VqCodeSumsTest);

TEST_P(VqCodeSumsTest, CountsAndSumsAreThoseOfTheRows) {
  for (const int64_t rows : {0, 1, 200, 3000}) {
    SCOPED_TRACE(rows);
    const auto codes = random_codes(rows, 1);
    const auto values = testing::uniform<float>(rows * kColumns, 2, 99, 101);
    const Result found = run(rows, codes, values);
    const auto [counts, sums] = expected(codes, values);
    testing::expect_close(found.counts, counts, 0);
    for_elements([&, &sums = sums](size_t, int32_t, int32_t, size_t at) {
      ASSERT_NEAR(found.sums[at], sums[at], 6e-8 * std::abs(sums[at])) << at;  // rounded once
    });
  }
}

TEST_P(VqCodeSumsTest, UsageGrowsByTheCounts) {
  const auto codes = random_codes(500, 1);
  const Result found = run(500, codes, testing::uniform<float>(500 * kColumns, 2));
  for (size_t k = 0; k < kCodes; ++k)
    EXPECT_EQ(found.usage[k], 1000 + static_cast<int64_t>(found.counts[k])) << k;
}

TEST_P(VqCodeSumsTest, PaddingBetweenCodebooksIsNotTouched) {
  const Result found = run(10, random_codes(10, 1), testing::uniform<float>(10 * kColumns, 2));
  EXPECT_TRUE(std::isnan(found.sums[63]));  // 21 x 3 = 63 of 64
  EXPECT_TRUE(std::isnan(found.sums[64 + 5]));
}

TEST_P(VqCodeSumsTest, BetaAndScaleApply) {
  const auto codes = random_codes(300, 1);
  const auto values = testing::uniform<float>(300 * kColumns, 2);
  const Result found = run(300, codes, values, 0.5f, -3, 8);
  const auto sums = expected(codes, values).second;
  for_elements([&](size_t, int32_t, int32_t, size_t at) {
    ASSERT_NEAR(found.sums[at], 4 - 3 * sums[at], 1e-5) << at;
  });
}

TEST_P(VqCodeSumsTest, OutputsThatAreNotWantedMayBeNull) {
  const auto codes = upload(random_codes(20, 1));
  const auto rows = upload(testing::uniform<float>(20 * kColumns, 2));
  auto counts = upload(std::vector<float>(kCodes, kNan));
  on_device(device(), [&](auto& context) {
    vq_code_sums(context, {.groups = table_->view(),
                           .codes = code_view(codes),
                           .rows = rows_of(rows.data(), 20),
                           .counts = counts.mutable_view(),
                           .sums = {},
                           .usage = {}});
    vq_code_sums(context, {.groups = table_->view(),
                           .codes = code_view(codes),
                           .rows = rows_of(rows.data(), 20),
                           .counts = {},
                           .sums = {},
                           .usage = {}});
  });
  double total = 0;
  for (const float count : counts.to_host()) total += count;
  EXPECT_EQ(total, 3.0 * 20);
}

TEST_P(VqCodeSumsTest, CpuHasTheSameBitsForAnyThreadsAndInstructions) {
  if (device().type != DeviceType::Cpu) GTEST_SKIP() << "about the CPU";
  const auto codes = random_codes(3000, 1);
  const auto values = testing::uniform<float>(3000 * kColumns, 2);
  testing::expect_same_bits_everywhere([&] { return run(3000, codes, values, 1, 0.3f, 1).sums; });
}

}  // namespace
}  // namespace tessera::kernels
