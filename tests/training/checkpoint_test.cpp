#include "tessera/checkpoint.h"

#include <functional>

#include "training/run_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class CheckpointTest : public RunTest {
 protected:
  void SetUp() override {
    Config config = small_config();
    config.training.num_epochs = 1;
    run_training(config);
  }

  /// A copy of the run's last checkpoint under `name`, with `config` in place of its own, and
  /// without its checksums where `checksums` is false.
  std::string changed_copy(const std::string& name, const std::string& config,
                           bool checksums = true) {
    const SafetensorsFile file(path("run/last.safetensors"));
    auto metadata = file.metadata();
    metadata["config"] = config;
    if (!checksums) metadata.erase("crc32");
    std::vector<HostArray> arrays;
    std::vector<ArrayView> views;
    for (const std::string& tensor : file.names()) arrays.push_back(file.read(tensor));
    for (size_t i = 0; i < arrays.size(); ++i) views.push_back(view_of(file.names()[i], arrays[i]));
    write_safetensors(path(name), views, metadata);
    return path(name);
  }
  std::string config_with(const std::function<void(Config&)>& change) {
    Config config = load_model(path("run"), {}).config;
    change(config);
    return to_json(config);
  }
};

TEST_F(CheckpointTest, HoldsTheDecidedTensorsAndMetadata) {
  const SafetensorsFile file(path("run/last.safetensors"));
  for (const char* name :
       {"model/encoder/0/weight", "model/encoder/0/bias", "model/decoder/1/weight",
        "quantizer/codebook", "quantizer/table", "quantizer/ema_counts", "quantizer/ema_sums",
        "optimizer/model/m", "optimizer/model/v", "state"})
    EXPECT_TRUE(file.contains(name)) << name;
  for (const std::string& name : file.names()) EXPECT_TRUE(file.has_checksum(name)) << name;
  for (const char* key :
       {"tessera_version", "format", "config", "features", "categories", "crc32", "created"})
    EXPECT_TRUE(file.metadata().contains(key)) << key;
  EXPECT_EQ(nlohmann::json::parse(file.metadata().at("features")).size(), size_t{kFeatures});
}

TEST_F(CheckpointTest, ContentsNameTheTensors) {
  const uint32_t crc = load_model(path("run/last.safetensors"), {}).crc;
  EXPECT_EQ(load_model(path("run/best.safetensors"), {}).step, 5u);
  EXPECT_EQ(load_model(path("run/last.safetensors"), {}).crc, crc);
  Config config = small_config("other");
  config.training.seed = 1;
  run_training(config);
  EXPECT_NE(load_model(path("other/last.safetensors"), {}).crc, crc);
}

TEST_F(CheckpointTest, ConfigThatAsksForMoreThanTheFileHoldsIsRefusedUnallocated) {
  const std::string file = changed_copy("huge.safetensors", config_with([](Config& config) {
                                          config.model.encoder_sizes = {1 << 20, 1 << 20, 1 << 20};
                                        }));
  expect_error(ErrorKind::Data, "the file is damaged", [&] { load_model(file, {}); });
}

TEST_F(CheckpointTest, TensorsOfAnotherShapeAreRefused) {
  const std::string file = changed_copy(
      "shape.safetensors", config_with([](Config& config) { config.model.encoder_sizes = {15}; }));
  expect_error(ErrorKind::Data, "model/encoder/0/weight is F32 [16, 12]",
               [&] { load_model(file, {}); });
}

TEST_F(CheckpointTest, ConfigThatIsNoneIsAFaultOfTheFile) {
  for (const char* config : {"", "{", "[1]", R"({"model": {"colour": 1}})"})
    expect_error(ErrorKind::Data, "c.safetensors",
                 [&] { load_model(changed_copy("c.safetensors", config), {}); });
}

TEST_F(CheckpointTest, WithoutChecksumsItIsNotWhole) {
  const std::string config = config_with([](Config&) {});
  std::string why;
  EXPECT_EQ(whole_checkpoint_step(changed_copy("no.safetensors", config, false), &why),
            std::nullopt);
  EXPECT_NE(why.find("has no checksum"), std::string::npos) << why;
  EXPECT_EQ(whole_checkpoint_step(path("run/last.safetensors"), &why), 5u);
}

TEST_F(CheckpointTest, EveryTruncationIsNoticed) {
  const Bytes bytes = get(path("run/last.safetensors"));
  for (size_t length = 0; length < bytes.size(); length += 97) {
    put("cut.safetensors", Bytes(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(length)));
    std::string why;
    EXPECT_EQ(whole_checkpoint_step(path("cut.safetensors"), &why), std::nullopt) << length;
  }
}

TEST_F(CheckpointTest, NewestIsTheWholeOneOfTheHighestStep) {
  Config config = small_config();
  config.training.num_epochs = 2;
  run_training(config, "auto");
  std::filesystem::rename(path("run/last.safetensors"), path("run/step_10.safetensors"));
  std::vector<std::string> skipped;
  std::filesystem::remove(path("run/best.safetensors"));
  put("run/step_20.safetensors", to_bytes("not one"));
  put("run/notes.safetensors", to_bytes("not looked at"));
  EXPECT_EQ(newest_checkpoint(path("run"), skipped), path("run/step_10.safetensors"));
  ASSERT_EQ(skipped.size(), 1u);
  EXPECT_NE(skipped[0].find("step_20.safetensors"), std::string::npos);
}

TEST_F(CheckpointTest, AFolderStandsForItsBestThenItsLast) {
  EXPECT_EQ(checkpoint_file(path("run")), path("run/best.safetensors"));
  std::filesystem::remove(path("run/best.safetensors"));
  EXPECT_EQ(checkpoint_file(path("run")), path("run/last.safetensors"));
  EXPECT_EQ(checkpoint_file(path("rows.npy")), path("rows.npy"));
}

}  // namespace
}  // namespace tessera
