#include "training/codebook_use.h"

#include <gtest/gtest.h>

namespace tessera {
namespace {

/// Codebooks of 4 and 2 codes.
VqTable two_codebooks() {
  std::vector<kernels::VqGroup> groups = {{.dim = 3, .codebook_size = 4},
                                          {.dim = 2, .codebook_size = 2}};
  kernels::VqGroup::pack(groups);
  return {groups, {}};
}

TEST(CodebookUseTest, CountsTheCodesOfEachCodebook) {
  const VqTable table = two_codebooks();
  std::vector<int64_t> usage(8);  // more than 6 where codebooks begin at round numbers
  const auto at = [&](int g, int k) -> int64_t& {
    return usage[static_cast<size_t>(table.groups()[g].code_begin + k)];
  };
  at(0, 1) = 5;
  at(1, 0) = at(1, 1) = 3;
  const std::vector<CodeUse> uses = codebook_use(table, usage);
  ASSERT_EQ(uses.size(), 2u);
  EXPECT_EQ(uses[0].utilization, 0.25);
  EXPECT_EQ(uses[0].dead, 3);
  EXPECT_EQ(uses[1].utilization, 1);
  EXPECT_DOUBLE_EQ(uses[1].perplexity, 2);
  const CodeUse mean = mean_use(uses);
  EXPECT_DOUBLE_EQ(mean.utilization, 0.625);  // not 3 of 6: each codebook counts alike
  EXPECT_DOUBLE_EQ(mean.perplexity, 1.5);
  EXPECT_EQ(mean.used, 3);
  EXPECT_EQ(mean.dead, 3);
  EXPECT_EQ(mean.total, 6);
}

TEST(CodebookUseTest, OneCodebookIsItsOwnMean) {
  const std::vector<int64_t> usage = {1, 2, 0, 5};
  const CodeUse one = code_use(usage), mean = mean_use(std::vector{one});
  EXPECT_EQ(mean.utilization, one.utilization);
  EXPECT_EQ(mean.perplexity, one.perplexity);
  EXPECT_EQ(mean.dead, one.dead);
}

}  // namespace
}  // namespace tessera
