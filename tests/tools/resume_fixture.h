#pragma once

#include "tools/command_fixture.h"

namespace tessera::testing {

inline constexpr uint64_t kSteps = 200;  // of every run here: 40 epochs of 5, 2 of 100, or 1

/// Trainings that are stopped and resumed, beside one that is not.
class ResumeCommandTest : public CommandTest {
 protected:
  Config config(int64_t epochs) {
    Config config = small_config();
    // 270, 1000 or 2000 rows are left to train on.
    const int64_t rows = epochs == 40 ? 300 : epochs == 2 ? 1111 : 2222;
    write_npy(config.data.path, planted_rows(rows));
    config.training.num_epochs = epochs;
    config.training.batch_size = epochs == 40 ? 64 : 10;
    config.training.threads = 1;
    // Codes are replaced now and then, so that the count of it has to be carried over too.
    config.quantizer.dead_code.interval = 7;
    config.quantizer.dead_code.threshold = 0.5;
    return config;
  }

  /// Where `config`, trained without a stop, ends.
  std::string straight(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = train_arguments({"--output", "straight"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProgramResult result = run(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(load_model(path("straight/last.safetensors"), {}).step, kSteps);
    return path("straight/last.safetensors");
  }

  /// Starts training and sends `signal` once `condition` holds. The program may be done before the
  /// signal reaches it: then it is started again.
  ProgramResult stop(int signal, const std::function<bool()>& condition,
                     std::vector<std::string> more = {}) {
    more.push_back("--overwrite");
    ProgramResult result;
    for (int attempt = 0; attempt < 20; ++attempt) {
      std::filesystem::remove_all(path("run"));
      ProgramOptions options;
      options.folder = folder_.string();
      Program program(train_arguments(more), options);
      const bool reached = program.wait_until(condition);
      program.signal(signal);
      result = program.wait();
      if (reached && (result.signal != 0 || result.exit_code == 130)) return result;
    }
    ADD_FAILURE() << "the program is always done before the signal; " << result.err;
    return result;
  }

  std::function<bool()> epochs_done(size_t count) {
    return [=, this] {
      const Bytes text = exists("run/metrics.jsonl") ? get(path("run/metrics.jsonl")) : Bytes();
      return std::count(text.begin(), text.end(), std::byte{'\n'}) >= static_cast<long>(count);
    };
  }
  std::function<bool()> file_there(const std::string& name) {
    return [=, this] { return exists(name); };
  }

  void expect_resumes_to(const std::string& expected, int64_t epochs) {
    const ProgramResult result = run_train({"--resume", "auto"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_NE(result.out.find("Resumed "), std::string::npos) << result.out;
    expect_same_bits(path("run/last.safetensors"), expected);
    // Each epoch once, in order, with the numbers of the straight run.
    const auto found = untimed_metrics("run"), straight = untimed_metrics("straight");
    ASSERT_EQ(found.size(), static_cast<size_t>(epochs));
    EXPECT_EQ(found, straight);
    EXPECT_GT(found.back()["code_resets"], 0);
  }

  std::vector<nlohmann::ordered_json> untimed_metrics(const std::string& folder) const {
    std::vector<nlohmann::ordered_json> lines = metrics(folder);
    for (auto& line : lines)
      for (const char* key : {"seconds", "rows_per_second"}) line.erase(key);
    return lines;
  }
};

}  // namespace tessera::testing
