#include "tessera/recovery_experiment.h"

#include <set>

#include "tessera/category_assignment.h"
#include "tessera/error.h"
#include "tessera/simulate.h"
#include "training/run_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class RecoveryExperimentTest : public RunTest {
 protected:
  RecoveryOptions options(std::vector<std::string> cases) const {
    return {
        .cases = std::move(cases), .seeds = 1, .samples = 400, .epochs = 1, .outdir = path("out")};
  }
  static RecoverySummary summary_of(const RecoveryBar& bar, const std::vector<double>& values) {
    RecoveryCase from{.name = "one", .title = "", .config = {}, .bars = {bar}};
    std::vector<RecoveryRun> runs;
    for (const double value : values) runs.push_back({"one", runs.size(), {{bar.number, value}}});
    return summarize_recovery(from, runs);
  }
};

TEST(MisplacedStartTest, MovesAFifthOfThePlantedFeaturesAndLeavesNoCategoryEmpty) {
  const std::vector<int32_t> block = planted_data({.samples = 10, .seed = 3}).block;
  for (const int64_t categories : {8, 12}) {
    const std::vector<int32_t> start = misplaced_start(block, categories, 3);
    int moved = 0;
    for (size_t i = 0; i < block.size(); ++i) moved += block[i] >= 0 && start[i] != block[i];
    EXPECT_EQ(moved, 24);  // of 120
    EXPECT_EQ(std::set<int32_t>(start.begin(), start.end()).size(), size_t(categories));
    EXPECT_EQ(*std::ranges::max_element(start), categories - 1);
  }
}

TEST(MisplacedStartTest, DependsOnTheSeedAlone) {
  const std::vector<int32_t> block = planted_data({.samples = 10, .seed = 3}).block;
  EXPECT_EQ(misplaced_start(block, 8, 1), misplaced_start(block, 8, 1));
  EXPECT_NE(misplaced_start(block, 8, 1), misplaced_start(block, 8, 2));
}

TEST_F(RecoveryExperimentTest, BarsLookAtTheMeanOrAtTheWorstSeed) {
  const RecoverySummary mean = summary_of({.number = "ari", .limit = 0.9}, {0.8, 1.0});
  EXPECT_TRUE(mean.verdicts[0].met);
  EXPECT_DOUBLE_EQ(mean.verdicts[0].found, 0.9);
  const RecoverySummary each =
      summary_of({.number = "ari", .limit = 0.9, .each = true}, {0.8, 1.0});
  EXPECT_FALSE(each.verdicts[0].met);
  EXPECT_DOUBLE_EQ(each.verdicts[0].found, 0.8);
  const RecoverySummary most =
      summary_of({.number = "broken", .limit = 0.02, .at_most = true, .each = true}, {0, 0.03});
  EXPECT_FALSE(most.verdicts[0].met);
  EXPECT_DOUBLE_EQ(most.verdicts[0].found, 0.03);
}

TEST_F(RecoveryExperimentTest, TableNamesABarThatIsMissed) {
  RecoveryOutcome outcome;
  outcome.cases = {summary_of({.number = "ari", .limit = 0.9, .each = true}, {0.8, 1.0})};
  for (const char* number : {"start", "clustering"})
    outcome.cases[0].numbers[number] = seed_statistics({0.5, 0.7});
  const std::string table = recovery_table(outcome);
  EXPECT_NE(table.find("0.900 +/- 0.141    0.800 1.000\n"), std::string::npos) << table;
  EXPECT_NE(
      table.find("NOT MET  one           index                each seed  0.800, at least 0.90"),
      std::string::npos)
      << table;
}

TEST_F(RecoveryExperimentTest, UnknownCasesAndCountsAreUsage) {
  const auto expect_usage = [&](const char* part, const RecoveryOptions& wrong) {
    expect_error(ErrorKind::Usage, part, [&] { run_recovery(wrong, quiet_); });
  };
  RecoveryOptions few = options({}), none = options({}), nowhere = options({});
  few.samples = 10;
  none.seeds = 0;
  nowhere.outdir = "";
  expect_usage("case mislaid is not known; use some of misplaced,", options({"mislaid"}));
  expect_usage("--samples 10", few);
  expect_usage("--seeds 0", none);
  expect_usage("--outdir is empty", nowhere);
  EXPECT_FALSE(std::filesystem::exists(path("out")));
}

TEST_F(RecoveryExperimentTest, FinishedRunsAreNotRepeatedAndTheWorkFolderIsEmpty) {
  const RecoveryOutcome first = run_recovery(options({"misplaced", "random"}), quiet_);
  ASSERT_EQ(first.runs.size(), 2u);
  EXPECT_TRUE(std::filesystem::is_empty(path("out/work")));
  const RecoveryOutcome again = run_recovery(options({"misplaced"}), quiet_);
  ASSERT_EQ(again.runs.size(), 1u);
  EXPECT_EQ(again.runs[0].numbers, first.runs[0].numbers);  // seconds too: it was read, not run
}

/// What the whole experiment shows for five seeds of six cases: one seed of one.
TEST_F(RecoveryExperimentTest, MisplacedFeaturesComeHome) {
  const RecoveryOutcome outcome =
      run_recovery({.cases = {"misplaced"}, .seeds = 1, .outdir = path("out")}, quiet_);
  const auto& numbers = outcome.runs.at(0).numbers;
  EXPECT_LT(numbers.at("start"), 0.7);
  EXPECT_GE(numbers.at("ari"), 0.9);
  EXPECT_GE(numbers.at("repaired"), 0.8);
  EXPECT_LE(numbers.at("broken"), 0.05);
}

}  // namespace
}  // namespace tessera
