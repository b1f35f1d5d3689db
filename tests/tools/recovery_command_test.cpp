#include "tools/command_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class RecoveryCommandTest : public CommandTest {
 protected:
  /// Short runs with `more` flags.
  static std::vector<std::string> recovery(std::vector<std::string> more = {},
                                           const char* epochs = "2") {
    std::vector<std::string> arguments = {
        "experiment", "learnable-recovery", "--samples", "400",      "--epochs",
        epochs,       "--device",           "cpu",       "--outdir", "out"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::string text(const std::string& name) const {
    std::ifstream file(path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  int64_t runs() const {
    const std::string all = text("out/runs.jsonl");
    return std::count(all.begin(), all.end(), '\n') - 1;
  }
};

TEST_F(RecoveryCommandTest, PrintsTheTableAndWritesTheFiles) {
  const ProgramResult result = run(recovery({"--cases", "misplaced,hard", "--seeds", "1"}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_NE(result.out.find("\nmisplaced     "), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("\nNOT MET  misplaced     index "), std::string::npos) << result.out;
  EXPECT_NE(result.out.find(text("out/table.txt")), std::string::npos);
  for (const char* name : {"summary.json", "recovery.png", "recovery.svg", "report.html",
                           "misplaced.yaml", "hard.yaml"})
    EXPECT_TRUE(exists(std::string("out/") + name)) << name;
  const auto summary = nlohmann::json::parse(text("out/summary.json"));
  const auto& numbers = summary.at("cases").at("misplaced").at("numbers");
  EXPECT_EQ(numbers.at("ari").at("values").size(), 1u);
  EXPECT_GT(numbers.at("start").at("mean").get<double>(), 0.5);
  EXPECT_EQ(summary.at("cases").at("misplaced").at("bars").at(0).at("met"), false);
}

TEST_F(RecoveryCommandTest, WrittenConfigsAreConfigs) {
  ASSERT_EQ(run(recovery({"--cases", "hard", "--seeds", "1"})).exit_code, 0);
  const ProgramResult dry = run({"train", "--config", "out/hard.yaml", "--dry-run",
                                 "data.path=none.h5", "categories.mapping_file=null"});
  EXPECT_EQ(dry.exit_code, 4) << dry.err;  // the data alone are missing
}

TEST_F(RecoveryCommandTest, AnInterruptedExperimentGoesOnFromTheRunsThatEnded) {
  const std::vector<std::string> arguments =
      recovery({"--cases", "misplaced", "--seeds", "6"}, "20");
  Program program(arguments, {.environment = {}, .folder = folder_.string()});
  ASSERT_TRUE(program.wait_until([&] { return exists("out/runs.jsonl") && runs() >= 1; }));
  program.signal(SIGINT);
  const ProgramResult cut = program.wait();
  EXPECT_EQ(cut.exit_code, 130);
  EXPECT_NE(cut.err.find("goes on from there"), std::string::npos) << cut.err;
  EXPECT_FALSE(exists("out/summary.json"));
  const int64_t ended = runs();
  const ProgramResult rest = run(arguments);
  EXPECT_EQ(rest.exit_code, 0) << rest.err;
  EXPECT_NE(rest.out.find(std::to_string(ended) + " finished run"), std::string::npos) << rest.out;
  EXPECT_EQ(runs(), 6);
}

TEST_F(RecoveryCommandTest, BadValuesAreTwo) {
  expect_exit(2, "case mislaid", recovery({"--cases", "mislaid"}));
  expect_exit(2, "--seeds 0", recovery({"--seeds", "0"}));
  EXPECT_FALSE(exists("out"));
}

}  // namespace
}  // namespace tessera
