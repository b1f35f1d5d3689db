// What the program prints: help, quiet, plain and terminal output, generated images.
#include "tools/command_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class OutputTest : public CommandTest {};

constexpr const char* kCommands[] = {"train",  "train-vqvae", "eval",    "encode",
                                     "decode", "inspect",     "devices", "generate-images"};

TEST_F(OutputTest, EveryCommandHasHelpAndVersion) {
  for (const char* command : kCommands) {
    const ProgramResult help = run({command, "--help"}), version = run({command, "--version"});
    EXPECT_EQ(help.exit_code, 0) << command;
    EXPECT_NE(help.out.find("Usage: "), std::string::npos) << command;
    EXPECT_EQ(version.exit_code, 0) << command;
    EXPECT_TRUE(version.out.starts_with("tessera ")) << command << version.out;
  }
  EXPECT_EQ(run({"--help"}).exit_code, 0);
  EXPECT_EQ(run({"--version"}).exit_code, 0);
}

TEST_F(OutputTest, QuietTrainingSaysNothing) {
  const ProgramResult result = run_train({"--quiet"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "");
}

TEST_F(OutputTest, PlainOutputHasNoEscapes) {
  const ProgramResult train = run_train();
  const ProgramResult encode =
      run({"encode", "--checkpoint", "run", "--input", "rows.npy", "--output", "t.npy"});
  const ProgramResult eval = run({"eval", "--checkpoint", "run"});
  for (const ProgramResult& result : {train, encode, eval}) {
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ((result.out + result.err).find('\033'), std::string::npos);
    EXPECT_EQ((result.out + result.err).find('\r'), std::string::npos);
  }
}

TEST_F(OutputTest, TerminalGetsALiveLineThatIsErased) {
  run_train();
  const ProgramResult result =
      run({"encode", "--checkpoint", "run", "--input", "rows.npy", "--output", "t.npy"},
          {.environment = {{"TERM", "xterm"}}, .folder = "", .terminal = true});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_NE(result.err.find("\r\033[K\033[36mEncoding 300/300 rows"), std::string::npos)
      << result.err;
  EXPECT_TRUE(result.err.ends_with("\r\033[K")) << result.err;
  EXPECT_EQ(result.out.find("Encoding"), std::string::npos);
}

TEST_F(OutputTest, NoColorMeansNoEscapesOnATerminal) {
  run_train();
  using Environment = std::map<std::string, std::string>;
  for (const Environment& environment :
       {Environment{{"TERM", "xterm"}, {"NO_COLOR", "1"}}, Environment{{"TERM", "dumb"}}}) {
    const ProgramResult result =
        run({"encode", "--checkpoint", "run", "--input", "rows.npy", "--output", "t.npy"},
            {.environment = environment, .folder = "", .terminal = true});
    EXPECT_NE(result.err.find("\rEncoding 300/300 rows"), std::string::npos) << result.err;
    EXPECT_EQ(result.err.find('\033'), std::string::npos);
    EXPECT_TRUE(result.err.ends_with(" \r"));
  }
}

TEST_F(OutputTest, DryRunPrintsAConfigThatLoadsAndLeavesNothing) {
  const ProgramResult result = run_train({"--dry-run", "training.batch_size=32"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  Config expected = load_config(path("config.yaml"), {"training.batch_size=32"});
  EXPECT_EQ(parse_config(result.out, "dry run"), expected);
  EXPECT_NE(result.out.find("# rows: 270 to train on, 30 to validate"), std::string::npos);
  EXPECT_FALSE(exists("run"));
}

TEST_F(OutputTest, FlagsWinOverOverridesAndTheFile) {
  const ProgramResult result =
      run_train({"--dry-run", "--epochs", "7", "--seed", "5", "--output", "it's here", "--threads",
                 "2", "--device", "cpu", "training.num_epochs=3", "training.learning_rate=0.5"});
  const Config config = parse_config(result.out, "dry run");
  EXPECT_EQ(config.training.num_epochs, 7);
  EXPECT_EQ(config.training.seed, 5);
  EXPECT_EQ(config.training.checkpoint_dir, "it's here");
  EXPECT_EQ(config.training.threads, 2);
  EXPECT_EQ(config.training.learning_rate, 0.5);
}

TEST_F(OutputTest, SpellingsOfTheOldProgramAreAccepted) {
  const ProgramResult result =
      run({"train-vqvae", "--config", "config.yaml", "--no-torch-compile", "--input", "rows.npy",
           "--resume-from", "auto", "--epochs", "1"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(metrics().size(), 1u);
}

TEST_F(OutputTest, ThreadsMayComeFromTheEnvironment) {
  ProgramOptions options;
  options.environment["TESSERA_THREADS"] = "3";
  EXPECT_TRUE(run({"devices"}, options).out.starts_with("cpu      3 threads"));
  EXPECT_TRUE(run({"devices", "--threads", "1"}, options).out.starts_with("cpu      1 threads"));
  options.environment["TESSERA_THREADS"] = "none";
  EXPECT_EQ(run({"devices"}, options).exit_code, 2);
}

TEST_F(OutputTest, GeneratedImagesAreADataSetToTrainOn) {
  ASSERT_EQ(
      run({"generate-images", "--output", "a/images", "--train", "200", "--test", "30"}).exit_code,
      0);
  EXPECT_EQ(read_idx(path("a/images/train-images-idx3-ubyte")).shape,
            (std::vector<int64_t>{200, 28, 28}));
  EXPECT_EQ(read_idx(path("a/images/t10k-images-idx3-ubyte")).shape,
            (std::vector<int64_t>{30, 28, 28}));
  EXPECT_EQ(run_train({"--input", "a/images", "--epochs", "1"}).exit_code, 0);
  expect_exit(2, "--train", {"generate-images", "--output", "b", "--train", "0"});
  expect_exit(4, "the folder cannot be made", {"generate-images", "--output", "rows.npy"});
}

}  // namespace
}  // namespace tessera
