// A categorical tokenizer through the program: the way from features to tokens and back, and every
// edge of what can be trained, which works or is refused in one sentence.
#include <functional>

#include "tools/command_fixture.h"
#include "training/categorical_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class CategoricalCommandTest : public CategoricalTest {
 protected:
  CategoricalCommandTest() { set(small_categorical()); }

  void set(const Config& config) { config_file(config); }

  ProgramResult run(const std::vector<std::string>& arguments, ProgramOptions options = {}) const {
    options.folder = folder_.string();
    return run_program(arguments, options);
  }
  ProgramResult train(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"train", "--config", "config.yaml"});
    return run(more);
  }
  void trains(std::vector<std::string> more = {}) const {
    const ProgramResult result = train(std::move(more));
    EXPECT_EQ(result.exit_code, 0) << result.err;
  }
  /// The program ends with `code` and one line that says `part`, and leaves no run.
  void refuses(int code, const std::string& part, std::vector<std::string> more = {}) const {
    const ProgramResult result = train(std::move(more));
    EXPECT_EQ(result.exit_code, code) << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_FALSE(exists("run/last.safetensors"));
  }
  /// Encodes the rows of x.npy, decodes them and expects tokens of this shape.
  void round_trip(std::vector<int64_t> shape) const {
    ProgramResult result =
        run({"encode", "--checkpoint", "run", "--input", "x.npy", "--output", "t.npy"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(read_npy(path("t.npy")).shape, shape);
    result = run({"decode", "--checkpoint", "run", "--tokens", "t.npy", "--output", "d.npy"});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    const HostArray decoded = read_npy(path("d.npy"));
    for (const float value : decoded.values<float>()) ASSERT_TRUE(std::isfinite(value));
  }
  void write_mapping_of(const std::vector<std::vector<std::string>>& categories) const {
    write_mapping("m.json", categories);
  }
};

TEST_F(CategoricalCommandTest, GoesFromFeaturesToTokensAndBack) {
  const ProgramResult result = train();
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* part : {"Read 300 rows of 15 features from ", "Auto-discovering categories\n",
                           "3 categories x 2 levels = 6 codebooks with 42 codes",
                           "  cluster_1     6 features, levels 8 x 4, 6 x 4\n", "Epoch 3/3"})
    EXPECT_NE(result.out.find(part), std::string::npos) << part << '\n' << result.out;
  round_trip({300, 6});
  const auto names = read_json("d.names.json");
  EXPECT_EQ(names["initial"][1], "b0");
  EXPECT_EQ(names.size(), 2u);
}

TEST_F(CategoricalCommandTest, CategoriesOfDiscoverCanBeTrainedOn) {
  ASSERT_EQ(run({"discover", "--config", "config.yaml", "--output", "found"}).exit_code, 0);
  trains({"categories.mapping_file=found/categories.json"});
  round_trip({300, 6});
}

TEST_F(CategoricalCommandTest, InspectNamesCategoriesAndFeatures) {
  trains();
  const ProgramResult result = run({"inspect", "--checkpoint", "run"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (const char* part : {"  cluster_2\n", "    level 1: 6 codes of width 4, ", "    initial/b0\n",
                           "model/projector/heads/weight"})
    EXPECT_NE(result.out.find(part), std::string::npos) << part << '\n' << result.out;
}

TEST_F(CategoricalCommandTest, ADryRunPrintsSizesThatItsConfigPins) {
  const ProgramResult result = train({"--dry-run", "model.levels=null"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("3 categories x 3 levels = 9 codebooks"), std::string::npos)
      << result.out;
  EXPECT_FALSE(exists("run"));
}

TEST_F(CategoricalCommandTest, EncodingShowsItsProgress) {
  trains();
  const ProgramResult result =
      run({"encode", "--checkpoint", "run", "--input", "x.npy", "--output", "t.npy"},
          {.environment = {{"TERM", "xterm"}}, .folder = "", .terminal = true});
  EXPECT_NE(result.err.find("Encoding 300/300 rows"), std::string::npos) << result.err;
}

TEST_F(CategoricalCommandTest, InterruptedAndResumedItEndsAsIfItNeverStopped) {
  trains({"--epochs", "1"});
  trains({"--resume", "auto"});
  trains({"--output", "straight"});
  expect_same_bits(path("run/last.safetensors"), path("straight/last.safetensors"));
}

TEST_F(CategoricalCommandTest, RefusesKeysOfTheOtherModel) {
  for (const char* key : {"model.encoder_sizes=[16]", "model.decoder_sizes=[16]",
                          "model.embedding_dim=8", "quantizer.codebook_size=64"}) {
    const std::string name = std::string(key).substr(0, std::string(key).find('='));
    refuses(3, name + " is of model.kind dense; sizes of a categorical model are", {key});
  }
  write_npy(path("rows.npy"), planted_rows(300));
  Config dense;
  dense.data.path = path("rows.npy");
  dense.training.checkpoint_dir = path("run");
  set(dense);
  for (const char* key : {"model.levels={a: [{code_dim: 4}]}", "model.compression_ratios=auto",
                          "losses.topographic=0.5", "families={initial: {encoder: identity}}",
                          "model.decoder.hidden_dim=8", "model.dropout=0.2"}) {
    const std::string name = std::string(key).substr(0, std::string(key).find('='));
    refuses(3, name + " is for named features (model.kind categorical)", {key});
  }
}

TEST_F(CategoricalCommandTest, RefusesWhatDoesNotFitTheData) {
  refuses(3, "model.levels.cluster_9 is no category of these data; they have cluster_1, cluster_2",
          {"model.levels={cluster_9: [{code_dim: 4, codebook_size: 8}]}"});
  refuses(4, "x.npy: holds no features of the family pressure", {"families={pressure: null}"});
  refuses(3, "category cluster_1: 2 compression ratios for 3 levels",
          {"model.levels={'*': [null, null, null]}", "model.compression_ratios=[1, 2]"});
  refuses(3, "unit_range divides bytes", {"data.normalization=unit_range"});
  refuses(3, "model.input_size is 16", {"model.input_size=16"});
  refuses(4, "none.npy", {"data.path=none.npy"});
}

TEST_F(CategoricalCommandTest, RefusesRowsWithoutTheFeatures) {
  trains();
  write_npy(path("bare.npy"), HostArray::from_values<float>({2, 15}, std::vector<float>(30, 1)));
  const ProgramResult result =
      run({"encode", "--checkpoint", "run", "--input", "bare.npy", "--output", "t.npy"});
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_NE(result.err.find("bare.npy: "), std::string::npos) << result.err;
  EXPECT_FALSE(exists("t.npy"));
}

// Edges of what can be trained.

TEST_F(CategoricalCommandTest, OneCategory) {
  write_mapping_of({planted_set(1).names});
  trains({"categories.mapping_file=m.json"});
  round_trip({300, 2});
}

TEST_F(CategoricalCommandTest, OneLevel) {
  trains({"model.levels={'*': [{code_dim: 4, codebook_size: 8}]}"});
  round_trip({300, 3});
}

TEST_F(CategoricalCommandTest, OneFeaturePerCategory) {
  nlohmann::ordered_json mapping;
  for (const std::string& name : planted_set(1).names) mapping[name] = {name};
  std::ofstream(path("m.json")) << mapping;
  trains({"categories.mapping_file=m.json"});
  round_trip({300, 30});
  std::filesystem::remove_all(path("run"));
  trains({"categories.mapping_file=m.json", "model.levels=null"});
  round_trip({300, 45});
}

TEST_F(CategoricalCommandTest, ACategoryOfAThousandFeatures) {
  FeatureMatrix features;
  features.rows = 100;
  for (int i = 0; i < 1000; ++i) {
    features.names.push_back("wide/" + std::to_string(i));
    features.families.push_back("wide");
  }
  std::mt19937 generator(1);
  std::uniform_real_distribution<float> uniform;
  for (int i = 0; i < 100'000; ++i) features.values.push_back(uniform(generator));
  write_array("x.npy", features);
  write_mapping_of({features.names});
  trains({"categories.mapping_file=m.json", "--epochs", "1"});
  round_trip({100, 2});
}

TEST_F(CategoricalCommandTest, ABatchLargerThanTheData) {
  trains({"training.batch_size=4096"});
  round_trip({300, 6});
}

TEST_F(CategoricalCommandTest, ALastBatchOfOneRowOrTwo) {
  for (const char* batch : {"training.batch_size=269", "training.batch_size=134"}) {
    std::filesystem::remove_all(path("run"));
    trains({batch, "losses.entropy=0.1"});
    round_trip({300, 6});
  }
}

TEST_F(CategoricalCommandTest, OneRowAtATime) {
  trains({"training.batch_size=1", "--epochs", "1"});
  round_trip({300, 6});
}

TEST_F(CategoricalCommandTest, OneRowIsNotEnough) {
  write_array("x.npy", planted_set(1));
  refuses(4, "x.npy: 1 row to train on; every feature is constant");
  write_mapping_of(planted_blocks());
  refuses(4, "x.npy: 1 row to train on; every feature is constant",
          {"categories.mapping_file=m.json", "data.cleaning.enabled=false"});
}

TEST_F(CategoricalCommandTest, FewRowsNeedAMapping) {
  write_array("x.npy", planted_set(2));
  refuses(4, "x.npy: ", {"data.validation_fraction=0"});
  write_mapping_of(planted_blocks());
  trains({"categories.mapping_file=m.json", "data.validation_fraction=0",
          "data.cleaning.duplicate_correlation=1", "quantizer.codebook_init=normal"});
  round_trip({2, 6});
}

TEST_F(CategoricalCommandTest, FewerRowsThanCodesNeedAnotherStart) {
  write_array("x.npy", planted_set(10));
  const std::string levels = "model.levels={'*': [{code_dim: 4, codebook_size: 32}]}";
  refuses(3, "k-means: 9 rows for 32 clusters; give more data or smaller codebooks", {levels});
  trains({levels, "quantizer.codebook_init=normal"});
  round_trip({10, 3});
}

TEST_F(CategoricalCommandTest, FewerSamplesThanCodesNeedAnotherStart) {
  refuses(3, "k-means: 5 rows for 8 clusters", {"data.max_samples=6"});
  trains({"data.max_samples=6", "quantizer.codebook_init=uniform"});
  round_trip({300, 4});  // five rows show two categories
}

TEST_F(CategoricalCommandTest, TwoFeaturesNeedAMapping) {
  const FeatureMatrix two = with_columns(planted_set(300), {"initial/a0", "initial/b0"});
  write_array("x.npy", two);
  refuses(4,
          "category discovery: 2 features are left; at least 3 are needed, or a "
          "categories.mapping_file");
  write_mapping_of({two.names});
  trains({"categories.mapping_file=m.json"});
  round_trip({300, 2});
}

TEST_F(CategoricalCommandTest, OneFeatureTrainsWithAMapping) {
  const FeatureMatrix one = with_columns(planted_set(300), {"initial/a0"});
  write_array("x.npy", one);
  write_mapping_of({one.names});
  trains({"categories.mapping_file=m.json"});
  round_trip({300, 2});
}

TEST_F(CategoricalCommandTest, ConstantFeaturesAreNoData) {
  FeatureMatrix features = planted_set(300);
  std::ranges::fill(features.values, 4.0f);
  write_array("x.npy", features);
  refuses(4, "x.npy: cleaning: none of the 15 features is left, the first is constant");
  refuses(4, "is 4 in all 270 rows; let data.cleaning.enabled remove it",
          {"data.cleaning.enabled=false"});
}

TEST_F(CategoricalCommandTest, NothingHeldOut) {
  trains({"data.validation_fraction=0"});
  round_trip({300, 6});
  EXPECT_TRUE(exists("run/best.safetensors"));
  EXPECT_TRUE(metrics().back()["validation_reconstruction"].is_null());
}

TEST_F(CategoricalCommandTest, MissingFeaturesOfAMappingAreNamed) {
  write_mapping_of({{"initial/a0", "initial/none"}});
  refuses(4, "the data have no feature initial/none", {"categories.mapping_file=m.json"});
  write_mapping_of({planted_blocks()[0]});
  refuses(4, "is in no category", {"categories.mapping_file=m.json"});
}

}  // namespace
}  // namespace tessera
