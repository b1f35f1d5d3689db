// encode and decode.
#include "tools/command_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class TokensCommandTest : public CommandTest {
 protected:
  void train_with(int64_t codes) {
    Config config = small_config();
    config.quantizer.codebook_size = codes;
    config.quantizer.codebook_init = codes > 270 ? "normal" : "kmeans";
    config.training.num_epochs = 2;
    set(config);
    const ProgramResult result = run_train();
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
  ProgramResult encode(const std::string& output, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"encode",   "--checkpoint", "run", "--input",
                                          "rows.npy", "--output",     output};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProgramResult result = run(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result;
  }
  ProgramResult decode(const std::string& output, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"decode", "--checkpoint", "run", "--tokens",
                                          "t.npy",  "--output",     output};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const ProgramResult result = run(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result;
  }
};

TEST_F(TokensCommandTest, UpTo256CodesAreBytes) {
  train_with(256);
  encode("t.npy");
  const HostArray tokens = read_npy(path("t.npy"));
  EXPECT_EQ(tokens.shape, (std::vector<int64_t>{300, 1}));
  EXPECT_EQ(tokens.dtype, DType::U8);
}

TEST_F(TokensCommandTest, MoreCodesAreWords) {
  train_with(512);
  encode("t.npy");
  const HostArray tokens = read_npy(path("t.npy"));
  EXPECT_EQ(tokens.shape, (std::vector<int64_t>{300, 1}));
  EXPECT_EQ(tokens.dtype, DType::U16);
}

TEST_F(TokensCommandTest, ColumnsAndCheckpointStandBeside) {
  train_with(16);
  encode("t.npy");
  const auto json = nlohmann::ordered_json::parse(std::ifstream(path("t.json")));
  EXPECT_EQ(json["columns"].dump(), R"([{"category":"all","level":0,"codebook_size":16}])");
  const TrainedModel model = load_model(path("run"), {});
  char crc[9];
  std::snprintf(crc, sizeof crc, "%08x", model.crc);
  EXPECT_EQ(json["checkpoint_crc32"], crc);
  EXPECT_EQ(json["config_crc32"].get<std::string>().size(), 8u);
}

TEST_F(TokensCommandTest, BatchSizeAndThreadsDoNotChangeABit) {
  train_with(16);
  encode("t.npy");
  const Bytes tokens = get(path("t.npy"));
  decode("x.npy");
  const Bytes values = get(path("x.npy"));
  for (const char* batch : {"1", "7", "1024"})
    for (const char* threads : {"1", "2"}) {
      SCOPED_TRACE(std::string(batch) + " rows, threads " + threads);
      encode("t2.npy", {"--batch-size", batch, "--threads", threads});
      EXPECT_TRUE(get(path("t2.npy")) == tokens);
      decode("x2.npy", {"--batch-size", batch, "--threads", threads});
      EXPECT_TRUE(get(path("x2.npy")) == values);
    }
}

TEST_F(TokensCommandTest, DecodingIsTheReconstructionOfTheModel) {
  train_with(16);
  encode("t.npy");
  decode("x.npy");
  TrainedModel model = load_model(path("run"), {});
  const Dataset data(load_rows(path("rows.npy")), model.normalizer, {});
  const std::vector<float> expected =
      model.model->forward({}, Var(data.rows_at(0, 300))).reconstruction.value().to_host();
  const HostArray decoded = read_npy(path("x.npy"));
  EXPECT_EQ(decoded.shape, (std::vector<int64_t>{300, kFeatures}));
  EXPECT_EQ(list(decoded.values<float>()), expected);
}

TEST_F(TokensCommandTest, StandardisedRowsAreDecodedInTheirOwnUnits) {
  Config config = small_config();
  write_npy(config.data.path, planted_rows(300, 100));
  config.data.normalization = "standard";
  config.training.num_epochs = 20;
  set(config);
  run_train();
  encode("t.npy");
  decode("x.npy");
  const HostArray rows = planted_rows(300, 100), decoded = read_npy(path("x.npy"));
  double square = 0;
  for (int64_t i = 0; i < rows.size(); ++i)
    square += std::pow(rows.values<float>()[i] - decoded.values<float>()[i], 2);
  // Coordinates of the planted points are uniform in [-1, 1]: variance 1/3. In other units the
  // error would be near 100^2.
  EXPECT_LT(square / static_cast<double>(rows.size()), 1.0 / 3);
}

TEST_F(TokensCommandTest, BytesAreReadFromEveryFormatAlike) {
  Config config = small_config();
  std::vector<uint8_t> bytes(300 * 12);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * i % 251);
  const HostArray images = HostArray::from_values<uint8_t>({300, 3, 4}, bytes);
  write_npy(path("rows.npy"), images);
  set(config);
  run_train();
  encode("t.npy");
  write_idx(path("images"), images);
  write_idx(path("images.gz"), images);
  write_npz(path("images.npz"), std::vector{view_of("images", images)});
  for (const char* name : {"images", "images.gz", "images.npz"}) {
    const ProgramResult result = run({"encode", "--checkpoint", "run/last.safetensors", "--input",
                                      name, "--output", "other.npy", "--batch-size", "7"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_TRUE(get(path("other.npy")) == get(path("t.npy"))) << name;
  }
}

TEST_F(TokensCommandTest, AFolderMeansItsBestCheckpoint) {
  train_with(16);
  std::filesystem::remove(path("run/last.safetensors"));
  encode("t.npy");
  std::filesystem::rename(path("run/best.safetensors"), path("moved.safetensors"));
  EXPECT_EQ(run({"encode", "--checkpoint", "moved.safetensors", "--input", "rows.npy", "--output",
                 "t2.npy"})
                .exit_code,
            0);
  EXPECT_TRUE(get(path("t.npy")) == get(path("t2.npy")));
}

}  // namespace
}  // namespace tessera
