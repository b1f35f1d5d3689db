#pragma once

#include "testing/process.h"
#include "training/run_fixture.h"

namespace tessera::testing {

/// What the program does in a folder of its own, where `config.yaml` and `rows.npy` lie.
class CommandTest : public RunTest {
 protected:
  CommandTest() { set(small_config()); }

  void set(const Config& config) { config_file(config); }

  ProgramResult run(std::vector<std::string> arguments, ProgramOptions options = {}) const {
    options.folder = folder_.string();
    return run_program(arguments, options);
  }

  /// `tessera train` with the config and `more`.
  static std::vector<std::string> train_arguments(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"train", "--config", "config.yaml"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  ProgramResult run_train(std::vector<std::string> more = {}) const {
    return run(train_arguments(std::move(more)));
  }

  /// Checks the exit code and that standard error says `part`.
  void expect_exit(int code, const std::string& part, const std::vector<std::string>& arguments) {
    const ProgramResult result = run(arguments);
    EXPECT_EQ(result.exit_code, code) << ::testing::PrintToString(arguments) << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
  }
};

}  // namespace tessera::testing
