// tools/examples/tokenizer_quality.sh, with the real program, on a handful of samples.

#include <sys/wait.h>

#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tools/command_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class QualityScriptTest : public CommandTest {
 protected:
  void SetUp() override {
    const ProgramResult result = run({"simulate", "--output", "data.h5", "--samples", "120",
                                      "--frames", "6", "--steps-per-frame", "4"});
    ASSERT_EQ(result.exit_code, 0) << result.err;
    std::ofstream(path("tiny.yaml"))
        << "families: {summary: {encoder: identity}}\n"
           "model: {kind: categorical, category_embedding_dim: 8, category_hidden_dim: 8}\n"
           "training: {num_epochs: 3, batch_size: 32}\n";
  }

  /// What the script writes to standard output with these variables before it; its exit code.
  std::string script(const std::string& variables, const std::string& overrides = {}) {
    const std::string command = "cd '" + folder_.string() + "' && TESSERA='" + kProgram +
                                "' CONFIGS=tiny.yaml DATA=data.h5 OUT=runs THREADS=1 " + variables +
                                " '" + kSourceDir + "/tools/examples/tokenizer_quality.sh' " +
                                overrides + " 2>&1";
    std::string text;
    std::array<char, 4096> block;
    FILE* pipe = popen(command.c_str(), "r");
    while (const size_t count = fread(block.data(), 1, block.size(), pipe))
      text.append(block.data(), count);
    exit_code_ = WEXITSTATUS(pclose(pipe));
    return text;
  }

  /// The numbers of the table's rows by their label; percent signs are left out.
  static std::map<std::string, std::vector<double>> rows(const std::string& text) {
    std::map<std::string, std::vector<double>> result;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      std::erase(line, '%');
      std::istringstream words(line);
      std::string name, label;
      words >> name >> label;
      if (name != "tiny") continue;
      for (double value; words >> value;) result[label].push_back(value);
    }
    return result;
  }

  int exit_code_ = -1;
};

TEST_F(QualityScriptTest, PrintsWhatEvalSaysOfEachSeedAndItsSpread) {
  const std::string text = script("SEEDS='3 4'");
  ASSERT_EQ(exit_code_, 0) << text;
  auto table = rows(text);
  ASSERT_EQ(table.size(), 4u) << text;
  for (const std::string seed : {"3", "4"}) {
    const auto eval = nlohmann::json::parse(std::ifstream(path("runs/tiny-" + seed + ".json")));
    const std::vector<double> expected = {
        eval["reconstruction_error"],     eval["residual_kmeans"]["error"],
        eval["residual_kmeans"]["ratio"], 100 * eval["utilization"].get<double>(),
        eval["topographic_pre"],          eval["topographic_post"],
        eval["topographic_end_to_end"],   100 * eval["token_survival"].get<double>()};
    ASSERT_EQ(table[seed].size(), expected.size() + 1) << text;  // and the seconds
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(table[seed][i], expected[i], i == 3 || i == 7 ? 0.051 : 0.00051) << i << text;
      const double mean = (table["3"][i] + table["4"][i]) / 2;
      const double spread = std::abs(table["3"][i] - table["4"][i]) / std::sqrt(2);
      EXPECT_NEAR(table["mean"][i], mean, i == 3 || i == 7 ? 0.11 : 0.0011) << i << text;
      EXPECT_NEAR(table["+-"][i], spread, i == 3 || i == 7 ? 0.11 : 0.0011) << i << text;
    }
  }
}

TEST_F(QualityScriptTest, AFinishedRunIsMeasuredAgainAndNotTrainedAgain) {
  const auto first = rows(script("SEEDS=0"));
  const Bytes checkpoint = get(path("runs/tiny-0/last.safetensors"));
  const auto second = rows(script("SEEDS=0"));
  ASSERT_EQ(exit_code_, 0);
  EXPECT_EQ(get(path("runs/tiny-0/last.safetensors")), checkpoint);
  EXPECT_EQ(std::vector(first.at("0").begin(), first.at("0").end() - 1),
            std::vector(second.at("0").begin(), second.at("0").end() - 1));
}

TEST_F(QualityScriptTest, AnOverrideThatIsNoKeyEndsIt) {
  const std::string text = script("SEEDS=0", "training.epoch=1");
  EXPECT_EQ(exit_code_, 3) << text;
  EXPECT_NE(text.find("training.epoch"), std::string::npos) << text;
}

}  // namespace
}  // namespace tessera
