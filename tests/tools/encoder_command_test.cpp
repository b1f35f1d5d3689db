// Tokenizers with encoders through the program: a data set of grids and series to tokens and back, what
// is shown of them, and what is refused.
#include "testing/process.h"
#include "training/encoder_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class EncoderCommandTest : public EncoderRunTest {
 protected:
  EncoderCommandTest() { config_file(learnable_config()); }

  ProgramResult run(const std::vector<std::string>& arguments) const {
    ProgramOptions options;
    options.folder = folder_.string();
    return run_program(arguments, options);
  }
  std::string run_well(const std::vector<std::string>& arguments) const {
    const ProgramResult result = run(arguments);
    EXPECT_EQ(result.exit_code, 0) << ::testing::PrintToString(arguments) << result.err;
    return result.out;
  }
  std::string train(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"train", "--config", "config.yaml"});
    return run_well(more);
  }
  std::string encode(const std::string& output, std::vector<std::string> more = {}) const {
    more.insert(more.begin(),
                {"encode", "--checkpoint", "run", "--input", "set", "--output", output});
    return run_well(more);
  }
  /// Encoding `set` with the trained model ends with code 4 and one line that says `part`.
  void refuses_to_encode(const std::string& set, const std::string& part) const {
    const ProgramResult result =
        run({"encode", "--checkpoint", "run", "--input", set, "--output", "t.npy"});
    EXPECT_EQ(result.exit_code, 4) << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_FALSE(exists("t.npy"));
  }
};

TEST_F(EncoderCommandTest, TokensDoNotDependOnBatchesOrThreads) {
  train();
  encode("one.npy", {"--batch-size", "1"});
  EXPECT_EQ(read_npy(path("one.npy")).shape.front(), 60);
  for (const char* threads : {"1", "2"})
    for (const char* batch : {"1", "7", "1024"}) {
      encode("t.npy", {"--batch-size", batch, "--threads", threads});
      EXPECT_TRUE(get(path("t.npy")) == get(path("one.npy"))) << batch << " " << threads;
    }
}

TEST_F(EncoderCommandTest, DecodedGivenColumnsAreInTheirOwnUnits) {
  train({"training.num_epochs=15", "model.dropout=0"});
  encode("t.npy");
  run_well({"decode", "--checkpoint", "run", "--tokens", "t.npy", "--output", "d.npy"});
  const HostArray decoded = read_npy(path("d.npy")),
                  given = read_npy(path("set/features/initial.npy"));
  const auto names = nlohmann::ordered_json::parse(std::ifstream(path("d.names.json")));
  ASSERT_EQ(names["initial"][0], "a");
  const auto x = given.values<float>(), y = decoded.values<float>();
  const auto columns = static_cast<size_t>(decoded.shape[1]);
  // Of u + noise, whose variance is 1/3: nearer to each than the mean of all is.
  double error = 0;
  for (size_t n = 0; n < 60; ++n)
    error += std::pow(double(x[4 * n]) - double(y[columns * n]), 2) / 60;
  EXPECT_LT(error, 0.2);
}

TEST_F(EncoderCommandTest, EvalMeasuresGivenAndEncodedFeatures) {
  train();
  const auto json =
      nlohmann::ordered_json::parse(run_well({"eval", "--checkpoint", "run", "--json"}));
  const auto& sources = json["feature_sources"];
  ASSERT_EQ(sources.size(), 4u) << sources;
  const auto names = [&](size_t i) { return sources[i]["name"].get<std::string>(); };
  EXPECT_EQ(names(0), "initial, given");
  EXPECT_EQ(names(1), "initial, encoded");
  EXPECT_EQ(names(2), "temporal_p0, encoded");
  double sum = 0;
  for (const auto& source : sources)
    sum += source["reconstruction_error"].get<double>() * source["features"].get<double>();
  EXPECT_NEAR(sum / json["features"].get<double>(), json["reconstruction_error"].get<double>(),
              1e-6);
  EXPECT_NE(run_well({"eval", "--checkpoint", "run"}).find("\n  initial, given "),
            std::string::npos);
}

TEST_F(EncoderCommandTest, InspectShowsTheEncoders) {
  train({"families.temporal.encoder_params.trainable=false"});
  const std::string text = run_well({"inspect", "--checkpoint", "run"});
  EXPECT_NE(
      text.find("encoders\n"
                "  initial: 4D and grids 2 x 10 x 10 -> 10D by InitialHybridEncoder\n"
                "  temporal: series of 16 x 3 -> 8D by PyramidTemporalEncoder (not trained)\n"),
      std::string::npos)
      << text;
}

TEST_F(EncoderCommandTest, ReportIsMadeOfSuchARun) {
  train();
  run_well({"report", "--checkpoint", "run"});
  const Bytes page = get(path("run/report.html"));
  const std::string text(reinterpret_cast<const char*>(page.data()), page.size());
  for (const char* part : {"initial_cluster_1", "temporal_p0_cluster_1", "temporal_p1_cluster_1"})
    EXPECT_NE(text.find(part), std::string::npos) << part;
}

TEST_F(EncoderCommandTest, KilledInsideAnEpochEndsWithTheSameBits) {
  const std::vector<std::string> changes = {"training.checkpoint_every_steps=3",
                                            "training.num_epochs=2", "training.keep_last=100"};
  std::vector<std::string> straight = {"--output", "straight"};
  straight.insert(straight.end(), changes.begin(), changes.end());
  train(straight);
  std::vector<std::string> arguments = {"train", "--config", "config.yaml"};
  arguments.insert(arguments.end(), changes.begin(), changes.end());
  ProgramOptions options;
  options.folder = folder_.string();
  Program program(arguments, options);
  program.wait_until([&] { return exists("run/step_3.safetensors"); });
  program.signal(SIGKILL);
  program.wait();
  std::vector<std::string> resumed = {"--resume", "auto"};
  resumed.insert(resumed.end(), changes.begin(), changes.end());
  train(resumed);
  expect_same_bits(path("run/last.safetensors"), path("straight/last.safetensors"));
}

TEST_F(EncoderCommandTest, OtherDataAreRefusedInOneSentence) {
  train({"training.num_epochs=1"});
  write_raw("other_grids", {.side = 12});
  refuses_to_encode("other_grids",
                    "other_grids: its grids are 2 x 12 x 12, the model was trained on 2 x 10 x 10");
  write_raw("other_series", {.series_features = {"s0", "s1"}});
  refuses_to_encode("other_series", "the series temporal have no feature s2, which the model was trained on");
  write_raw("no_length");
  HostArray lengths = read_npy(path("no_length/lengths.npy"));
  std::fill(lengths.bytes.begin() + 8 * item_size(lengths.dtype),
            lengths.bytes.begin() + 9 * item_size(lengths.dtype), std::byte{0});
  write_npy(path("no_length/lengths.npy"), lengths);
  refuses_to_encode("no_length", "no_length: sample 8 has length 0");
}

}  // namespace
}  // namespace tessera
