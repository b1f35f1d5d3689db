#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tessera/error.h"
#include "tessera/metrics.h"

namespace tessera {
namespace {

TEST(CodeUseTest, CountsUsedAndDeadCodes) {
  const CodeUse use = code_use(std::vector<int64_t>{3, 1, 0, 4});
  EXPECT_EQ(use.used, 3);
  EXPECT_EQ(use.dead, 1);
  EXPECT_EQ(use.total, 4);
  EXPECT_EQ(use.utilization, 0.75);
}

TEST(CodeUseTest, EvenUseHasPerplexityOfTheNumberOfCodes) {
  const CodeUse use = code_use(std::vector<int64_t>(512, 7));
  EXPECT_NEAR(use.perplexity, 512, 512 * 1e-13);  // 512 additions of about 1e-16 relative each
  EXPECT_EQ(use.utilization, 1);
}

TEST(CodeUseTest, OneUsedCodeHasPositiveZeroEntropy) {
  const CodeUse use = code_use(std::vector<int64_t>{0, 5, 0});
  EXPECT_EQ(use.entropy_nats, 0);
  EXPECT_FALSE(std::signbit(use.entropy_nats));
  EXPECT_EQ(use.perplexity, 1);
}

TEST(CodeUseTest, WindowWithoutRowsUsesNothing) {
  const CodeUse use = code_use(std::vector<int64_t>(4, 0));
  EXPECT_EQ(use.utilization, 0);
  EXPECT_EQ(use.entropy_nats, 0);
  EXPECT_EQ(use.perplexity, 1);
  EXPECT_EQ(use.dead, 4);
}

TEST(CodeUseTest, NoCodesAtAllIsNotADivisionByZero) {
  const CodeUse use = code_use({});
  EXPECT_EQ(use.utilization, 0);
  EXPECT_EQ(use.total, 0);
}

TEST(CodeUseTest, NegativeCountIsABrokenPrecondition) {
  EXPECT_THROW(code_use(std::vector<int64_t>{1, -1}), Error);
}

}  // namespace
}  // namespace tessera
