#include "tessera/feature_data.h"
#include "tools/command_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class SimulateCommandTest : public CommandTest {
 protected:
  ProgramResult simulate(std::vector<std::string> more) {
    more.insert(more.begin(), "simulate");
    return run(more);
  }
};

TEST_F(SimulateCommandTest, WritesADataSetThatCanBeRead) {
  const ProgramResult result = simulate({"--output", "data.h5", "--samples", "5", "--frames", "4",
                                         "--steps-per-frame", "2", "--seed", "9"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("Simulated 5 samples of 4 frames into data.h5"), std::string::npos);
  const auto source =
      open_features(path("data.h5"), {"initial", "summary", "temporal", "architecture"});
  EXPECT_EQ(source->layout().rows, 5);
  EXPECT_EQ(source->layout().families[2].steps, 4);
}

TEST_F(SimulateCommandTest, ThreadsDoNotChangeAByte) {
  for (const char* threads : {"1", "2"})
    simulate({"--output", std::string("data") + threads + ".h5", "--samples", "7", "--frames", "3",
              "--threads", threads});
  EXPECT_TRUE(get(path("data1.h5")) == get(path("data2.h5")));
}

TEST_F(SimulateCommandTest, PlantedDataHaveTheirTruthBeside) {
  for (const auto& [output, truth] : {std::pair{"p.h5", "p.truth.json"}, {"p", "p/truth.json"}}) {
    const ProgramResult result =
        simulate({"--planted", "--even", "--output", output, "--samples", "40"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    const auto json = nlohmann::json::parse(std::ifstream(path(truth)));
    const FeatureMatrix matrix = feature_matrix(load_features(*open_features(path(output))));
    EXPECT_EQ(json["feature_names"].get<std::vector<std::string>>(), matrix.names);
    EXPECT_EQ(json["categories"]["block_0"].size(), 25u);
    EXPECT_EQ(json["categories"]["nuisance"].size(), 12u);
    EXPECT_EQ(json["block"].size(), 132u);
    EXPECT_EQ(json["cosine"].size(), 132u);
  }
}

TEST_F(SimulateCommandTest, FlagsThatDoNotFitAreUsageErrors) {
  expect_exit(2, "nothing to write", {"simulate"});
  expect_exit(2, "--even", {"simulate", "--even", "--output", "x.h5"});
  expect_exit(2, "--frames", {"simulate", "--planted", "--frames", "3", "--output", "x.h5"});
  expect_exit(2, "--samples", {"simulate", "--samples", "0", "--output", "x.h5"});
}

TEST_F(SimulateCommandTest, AnOutputThatCannotBeWrittenIsADataError) {
  std::filesystem::create_directories(path("taken.h5"));
  put("full", to_bytes("x"));
  const std::vector<std::string> before = listing();
  for (const char* output : {"taken.h5", "no/where.h5", "full"})
    expect_exit(4, output, {"simulate", "--samples", "1", "--frames", "1", "--output", output});
  EXPECT_EQ(listing(), before);
}

TEST_F(SimulateCommandTest, AnInterruptLeavesNothing) {
  const std::vector<std::string> before = listing();
  ProgramOptions options;
  options.folder = folder_.string();
  Program program({"simulate", "--output", "data.h5", "--samples", "100000", "--frames", "16"},
                  options);
  ASSERT_TRUE(program.wait_until([&] { return listing().size() > before.size(); }));
  program.signal(SIGINT);
  const ProgramResult result = program.wait();
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_EQ(listing(), before);
}

}  // namespace
}  // namespace tessera
