#include <sys/stat.h>

#include "tools/command_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class ExperimentCommandTest : public CommandTest {
 protected:
  /// A comparison of a second or so, with `more` flags.
  static std::vector<std::string> compare(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"experiment", "compare", "--n_train", "2000",
                                          "--n_eval",   "500",     "--K",       "8",
                                          "--steps",    "30",      "--device",  "cpu"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  void expect_usage(const std::string& part, const std::vector<std::string>& flags) {
    std::vector<std::string> arguments = {"experiment", "compare"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    expect_exit(2, part, arguments);
    EXPECT_FALSE(exists("results_out"));
  }
  std::string text(const std::string& name) const {
    std::ifstream file(path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  int64_t runs(const std::string& folder) const {
    const std::string all = text(folder + "/runs.jsonl");
    return std::count(all.begin(), all.end(), '\n') - 1;
  }
};

TEST_F(ExperimentCommandTest, PrintsTheTableAndWritesTheFiles) {
  const ProgramResult result = run(compare());
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("Final Metrics:\nMethod               Recon MSE       In-Sub Dist     "
                            "Usage Ent       Dead Frac"),
            std::string::npos)
      << result.out;
  EXPECT_NE(result.out.find("\nPCA + Lloyd          "), std::string::npos);
  for (const char* name : {"summary.json", "comparison.png", "manual_ste.png", "autograd_ste.png",
                           "manual_logs.json", "autograd_logs.json", "report.html"})
    EXPECT_TRUE(exists(std::string("results_out/") + name)) << name;
}

TEST_F(ExperimentCommandTest, BadValuesAreTwoAndWriteNothing) {
  expect_usage("--m 65", {"--m", "65"});
  expect_usage("--rank 65", {"--rank", "65"});
  expect_usage("--K 20001", {"--K", "20001"});
  expect_usage("--steps 0", {"--steps", "0"});
  expect_usage("--lrW -1", {"--lrW", "-1"});
  expect_usage("--lrE -1", {"--lrE", "-1"});
  expect_usage("--seeds 0", {"--seeds", "0"});
  expect_usage("--start warm", {"--start", "warm"});
  expect_usage("method stee", {"--methods", "stee"});
  expect_usage("is empty", {"--outdir", ""});
  expect_exit(2, "", {"experiment"});
  expect_exit(2, "", {"experiment", "compare", "--steps", "many"});
}

TEST_F(ExperimentCommandTest, AFolderThatCannotBeWrittenIsFour) {
  std::ofstream(path("file")) << "x";
  expect_exit(4, "--outdir", compare({"--outdir", "file"}));
  expect_exit(4, "file/deeper", compare({"--outdir", "file/deeper"}));
}

TEST_F(ExperimentCommandTest, AnInterruptedRunGoesOnAndEndsWithTheSameSummary) {
  ASSERT_EQ(run(compare({"--seeds", "8", "--outdir", "whole"})).exit_code, 0);
  for (const int signal : {SIGINT, SIGKILL}) {
    std::filesystem::remove_all(path("cut"));
    Program program(compare({"--seeds", "8", "--outdir", "cut"}),
                    {.environment = {}, .folder = folder_.string()});
    ASSERT_TRUE(program.wait_until([&] { return exists("cut/runs.jsonl") && runs("cut") >= 2; }));
    program.signal(signal);
    const ProgramResult cut = program.wait();
    if (signal == SIGINT) {
      EXPECT_EQ(cut.exit_code, 130);
      EXPECT_NE(cut.err.find("goes on from there"), std::string::npos) << cut.err;
    }
    EXPECT_FALSE(exists("cut/summary.json"));
    const ProgramResult rest = run(compare({"--seeds", "8", "--outdir", "cut"}));
    EXPECT_EQ(rest.exit_code, 0) << rest.err;
    EXPECT_NE(rest.out.find("not repeated"), std::string::npos) << rest.out;
    std::string summary = text("cut/summary.json"), whole = text("whole/summary.json");
    summary.replace(summary.find("\"cut\""), 5, "\"whole\"");
    EXPECT_EQ(summary, whole);
  }
}

TEST_F(ExperimentCommandTest, ThreadsDoNotChangeTheResult) {
  ASSERT_EQ(run(compare({"--seeds", "3", "--outdir", "one", "--threads", "1"})).exit_code, 0);
  ASSERT_EQ(run(compare({"--seeds", "3", "--outdir", "two", "--threads", "3"})).exit_code, 0);
  EXPECT_EQ(text("one/manual_logs.json"), text("two/manual_logs.json"));
  EXPECT_EQ(text("one/autograd_logs.json"), text("two/autograd_logs.json"));
}

}  // namespace
}  // namespace tessera
