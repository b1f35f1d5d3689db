// Inputs that would give wrong results without a word, and what happens to files when they are refused.
#include "tools/command_fixture.h"
#include "testing/places.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class RefusalTest : public CommandTest {
 protected:
  void write_bytes(const std::string& name) {
    std::vector<uint8_t> values(300 * kFeatures);
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint8_t>(37 * i % 251);
    write_npy(path(name), HostArray::from_values<uint8_t>({300, kFeatures}, values));
  }
  ProgramResult encode(const std::string& input, const std::string& output = "t.npy") {
    return run({"encode", "--checkpoint", "run", "--input", input, "--output", output});
  }
  void train_small(const std::string& data = "") {
    Config config = small_config();
    if (!data.empty()) config.data.path = path(data);
    config.training.num_epochs = 1;
    set(config);
    const ProgramResult result = run_train();
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
};

TEST_F(RefusalTest, OverwriteKeepsTheOldRunWhereTheNewOneCannotStart) {
  train_small();
  const Bytes before = tensors_of(path("run/last.safetensors")).at("quantizer/codebook");
  const ProgramResult result =
      run({"train", "--config", "config.yaml", "--overwrite", "quantizer.codebook_size=5000"});
  EXPECT_EQ(result.exit_code, 3) << result.err;
  EXPECT_NE(result.err.find("270 rows for 5000 clusters"), std::string::npos) << result.err;
  EXPECT_EQ(tensors_of(path("run/last.safetensors")).at("quantizer/codebook"), before);
  EXPECT_TRUE(exists("run/metrics.jsonl"));
}

TEST_F(RefusalTest, ValuesBeyondOneOnAModelOfBytes) {
  write_bytes("bytes.npy");
  train_small("bytes.npy");
  EXPECT_EQ(encode("bytes.npy").exit_code, 0);
  const HostArray bytes = read_npy(path("bytes.npy"));
  const std::vector<float> floats = bytes.to_floats("bytes");
  write_npy(path("floats.npy"), HostArray::from_values<float>(bytes.shape, floats));
  const ProgramResult result = encode("floats.npy");
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_NE(result.err.find("row 0, column 1 is 37"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("[0, 1]"), std::string::npos) << result.err;
}

TEST_F(RefusalTest, OutputsThatAreNotFinite) {
  train_small();
  const std::vector<float> huge(2 * kFeatures, 3e38f);
  write_npy(path("huge.npy"), HostArray::from_values<float>({2, kFeatures}, huge));
  EXPECT_EQ(encode("huge.npy").exit_code, 6);
  EXPECT_FALSE(exists("t.npy"));
  EXPECT_EQ(run({"eval", "--checkpoint", "run", "--data", "huge.npy", "--reference", "none"}).exit_code,
            6);
}

TEST_F(RefusalTest, TokensGoToAnotherFileAndToNpy) {
  train_small();
  EXPECT_EQ(encode("rows.npy", "rows.npy").exit_code, 2);
  EXPECT_EQ(encode("rows.npy", "tokens.json").exit_code, 2);
  EXPECT_EQ(read_npy(path("rows.npy")).row_size(), kFeatures);
}

TEST_F(RefusalTest, ALossWithoutTerms) {
  set(small_config());
  const ProgramResult result = run({"train", "--config", "config.yaml", "losses.reconstruction=0",
                                    "quantizer.commitment_weight=0"});
  EXPECT_EQ(result.exit_code, 3) << result.err;
}

TEST_F(RefusalTest, AFullDiskUnderStandardOutput) {
  train_small();
  const int status = std::system((std::string(testing::kProgram) + " inspect --checkpoint " + path("run") +
                                  " > /dev/full 2> /dev/null").c_str());
  EXPECT_EQ(WEXITSTATUS(status), 4);
}

TEST_F(RefusalTest, EvalSaysThatItMeasuresTrainingRows) {
  train_small();
  const ProgramResult result = run({"eval", "--checkpoint", "run", "--reference", "none"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_NE(result.err.find("include the rows it was trained on"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace tessera
