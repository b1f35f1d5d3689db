// Runs of a categorical tokenizer from named features: training, resuming, checkpoints.
// Tokens and decoded values are in categorical_tokens_test.cpp.
#include "training/categorical_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;
using Names = std::vector<std::string>;

class NamedFeaturesRunTest : public CategoricalTest {
 protected:
  /// The tensors that `config` ends with, trained without a stop in a folder of its own.
  std::string straight(Config config) {
    config.training.checkpoint_dir = path("straight");
    run_training(config, "", true);
    return path("straight/last.safetensors");
  }

  /// `config` is trained for an epoch; then it must not be gone on with after `change`.
  template <class F>
  void refuses_to_resume(Config config, const std::string& part, F&& change) {
    config.training.num_epochs = 1;
    run_training(config, "", true);
    const auto before = tensors_of(path("run/last.safetensors"));
    change(config);
    config.training.num_epochs = 2;
    expect_error(ErrorKind::Config, part, [&] { run_training(config, "auto"); });
    EXPECT_EQ(testing::tensors_of(path("run/last.safetensors")), before);
  }
  static std::map<std::string, Bytes> tensors_of(const std::string& file) {
    return testing::tensors_of(file);
  }
};

/// The categories of a model as sets of names, in the order of the planted blocks.
std::vector<Names> sorted_categories(const ModelFeatures& features) {
  std::vector<Names> categories;
  size_t first = 0;
  for (const ColumnCategory& category : features.categories) {
    const auto begin = features.names.begin() + static_cast<int64_t>(first);
    categories.emplace_back(begin, begin + category.features);
    std::ranges::sort(categories.back());
    first += static_cast<size_t>(category.features);
  }
  std::ranges::sort(categories);
  return categories;
}

TEST_F(NamedFeaturesRunTest, FindsThePlantedBlocks) {
  run_training(small_categorical());
  EXPECT_EQ(sorted_categories(load_model(path("run"), {}).features), planted_blocks());
}

TEST_F(NamedFeaturesRunTest, LearnsWhatIsPlantedAndNotNoise) {
  Config config = small_categorical();
  write_mapping("blocks.json", planted_blocks());
  config.categories.mapping_file = path("blocks.json");
  config.training.num_epochs = 60;
  const double planted = run_training(config).last.at("validation_reconstruction");
  // The control: the same columns, each in a random order of its own.
  FeatureMatrix shuffled = planted_set(300);
  std::mt19937 generator(3);
  for (int64_t i = 0; i < shuffled.cols(); ++i)
    for (int64_t n = shuffled.rows - 1; n > 0; --n)
      std::swap(shuffled.values[n * shuffled.cols() + i],
                shuffled.values[int64_t(generator() % uint64_t(n + 1)) * shuffled.cols() + i]);
  write_array("x.npy", shuffled);
  config.training.checkpoint_dir = path("control");
  const double control = run_training(config).last.at("validation_reconstruction");
  // 0.126 and 0.479. Of a feature's variance 0.083 is noise, which no token can carry; without
  // blocks two tokens cannot say much of four to six features.
  EXPECT_LT(planted, 0.2);
  EXPECT_GT(control, 0.4);
}

TEST_F(NamedFeaturesRunTest, EveryLayoutOfTheDataGivesTheSameModel) {
  Config config = small_categorical();
  run_training(config);
  const auto expected = tensors_of(path("run/last.safetensors"));
  write_data_set("set.h5", planted_set(300));
  write_data_set("set", planted_set(300));
  for (const char* name : {"set.h5", "set"}) {
    config.data.path = path(name);
    expect_same_bits(straight(config), path("run/last.safetensors"));
    EXPECT_EQ(load_model(path("straight"), {}).features, load_model(path("run"), {}).features);
  }
}

TEST_F(NamedFeaturesRunTest, ResumingEndsWithTheBitsOfAStraightRun) {
  Config config = small_categorical();
  config.losses.entropy = 0.01;
  config.training.num_epochs = 1;
  run_training(config);
  config.training.num_epochs = 3;
  run_training(config, "auto");
  expect_same_bits(path("run/last.safetensors"), straight(config));
}

TEST_F(NamedFeaturesRunTest, GradientCodebooksAndRotationsResumeToo) {
  Config config = small_categorical();
  config.quantizer.kind = "gradient";
  config.quantizer.estimator = "rotation";
  config.training.num_epochs = 2;
  run_training(config);
  config.training.num_epochs = 3;
  run_training(config, "auto");
  expect_same_bits(path("run/last.safetensors"), straight(config));
}

TEST_F(NamedFeaturesRunTest, OtherDataAreNotGoneOnWith) {
  refuses_to_resume(small_categorical(), "resume with the same data",
                    [&](Config&) { write_array("x.npy", planted_set(300, 2)); });
}

TEST_F(NamedFeaturesRunTest, AnotherMappingIsNotGoneOnWith) {
  Config config = small_categorical();
  write_mapping("blocks.json", planted_blocks());
  config.categories.mapping_file = path("blocks.json");
  std::vector<Names> blocks = planted_blocks();
  std::swap(blocks[0][1], blocks[1][1]);
  refuses_to_resume(config, "their features, cleaning or categories are others",
                    [&](Config&) { write_mapping("blocks.json", blocks); });
}

TEST_F(NamedFeaturesRunTest, AnotherBorderBetweenCategoriesIsNotGoneOnWith) {
  Config config = small_categorical();
  std::vector<Names> blocks = planted_blocks();
  write_mapping("blocks.json", blocks);
  config.categories.mapping_file = path("blocks.json");
  // b0 stands behind the last of block a: the columns keep their order.
  blocks[0].push_back("initial/b0");
  blocks[1].erase(blocks[1].begin());
  const FeatureMatrix set = with_columns(
      planted_set(300), {"initial/a0", "initial/a1", "initial/a2", "summary/a3", "summary/a4",
                         "summary/a5", "initial/b0", "initial/b1", "initial/b2", "summary/b3",
                         "summary/b4", "initial/c0", "initial/c1", "summary/c2", "summary/c3"});
  write_npy(path("x.npy"), HostArray::from_values<float>({300, 15}, set.values));
  nlohmann::ordered_json names;  // one family, so that names need not stand by families
  for (const std::string& name : set.names) names["all"].push_back(name.substr(8));
  std::ofstream(path("x.names.json")) << names;
  const auto renamed = [](std::vector<Names> all) {
    for (Names& category : all)
      for (std::string& name : category) name = "all/" + name.substr(8);
    return all;
  };
  write_mapping("blocks.json", renamed(planted_blocks()));
  refuses_to_resume(config, "their features, cleaning or categories are others",
                    [&](Config&) { write_mapping("blocks.json", renamed(blocks)); });
}

TEST_F(NamedFeaturesRunTest, OtherCleaningWeightsOrSizesAreNotGoneOnWith) {
  refuses_to_resume(small_categorical(), "their features, cleaning or categories are others",
                    [](Config& config) { config.data.cleaning.low_percentile = 3; });
  refuses_to_resume(small_categorical(), "losses.feature_weights: uniform -> variance",
                    [](Config& config) { config.losses.feature_weights = "variance"; });
  refuses_to_resume(small_categorical(), "model.levels.cluster_1: ", [](Config& config) {
    config.model.levels = {{"*", {{4, 8}, {4, 7}}}};
  });
}

TEST_F(NamedFeaturesRunTest, TheCheckpointCarriesNamesCategoriesAndCleaning) {
  FeatureMatrix set = planted_set(300);
  for (int64_t n = 0; n < set.rows; ++n) set.values[n * set.cols() + 2] = 5;  // initial/c0
  Config config = small_categorical();
  write_array("x.npy", set);
  config.data.exclude_features = {"summary/b4"};
  run_training(config);
  const SafetensorsFile file(path("run/last.safetensors"));
  const auto names = nlohmann::json::parse(file.metadata().at("features"));
  EXPECT_EQ(names.size(), 13u);
  size_t in_categories = 0;
  for (const auto& category : nlohmann::json::parse(file.metadata().at("categories")))
    for (const auto& name : category.at("features")) EXPECT_EQ(name, names[in_categories++]);
  EXPECT_EQ(in_categories, 13u);
  const Cleaning cleaning = load_model(path("run"), {}).features.cleaning;
  ASSERT_EQ(cleaning.removed.size(), 1u);
  EXPECT_EQ(cleaning.removed[0].name, "initial/c0");
  EXPECT_NE(cleaning.removed[0].reason.find("constant"), std::string::npos);
  for (const CleanedFeature& feature : cleaning.kept) EXPECT_LT(feature.low, feature.high);
}

TEST_F(NamedFeaturesRunTest, TheResolvedConfigTrainsTheSameModel) {
  Config config = small_categorical();
  config.model.levels = {{"cluster_2", {{{}, 8}, {4, {}}, {}}}};
  config.model.compression_ratios = "auto";
  run_training(config);
  Config resolved = load_config(path("run/config.resolved.yaml"));
  ASSERT_EQ(resolved.model.levels.size(), 3u);
  EXPECT_EQ(resolved.model.levels[1].levels[0].codebook_size, 8);
  EXPECT_EQ(resolved.model.levels[1].levels[1].code_dim, 4);
  for (const CategoryLevels& category : resolved.model.levels)
    for (const LevelSize& level : category.levels)
      EXPECT_TRUE(level.code_dim && level.codebook_size);
  expect_same_bits(straight(resolved), path("run/last.safetensors"));
  resolved.training.checkpoint_dir = path("run");
  resolved.training.num_epochs = 4;
  EXPECT_EQ(run_training(resolved, "auto").epochs, 4u);
}

TEST_F(NamedFeaturesRunTest, AnyNameOfACategoryComesBackFromTheResolvedConfig) {
  Config config = small_categorical();
  nlohmann::ordered_json mapping;
  const char* names[] = {"1: [a], {b}", "null", "\"x\" # y.z\n"};
  for (size_t k = 0; k < 3; ++k) mapping[names[k]] = planted_blocks()[k];
  std::ofstream(path("odd.json")) << mapping;
  config.categories.mapping_file = path("odd.json");
  config.training.num_epochs = 1;
  run_training(config);
  const Config resolved = load_config(path("run/config.resolved.yaml"));
  for (size_t k = 0; k < 3; ++k) EXPECT_EQ(resolved.model.levels[k].category, names[k]);
  expect_same_bits(straight(resolved), path("run/last.safetensors"));
}

TEST_F(NamedFeaturesRunTest, FeatureWeightsChangeWhatIsLearned) {
  Config config = small_categorical();
  config.training.num_epochs = 1;
  run_training(config);
  EXPECT_TRUE(load_model(path("run"), {}).features.weights.empty());
  const auto uniform = tensors_of(path("run/last.safetensors"));
  for (const char* kind : {"variance", "information", "variance_information"}) {
    config.losses.feature_weights = kind;
    const auto weighted = tensors_of(straight(config));
    EXPECT_NE(weighted.at("model/decoder/output/weight"), uniform.at("model/decoder/output/weight"))
        << kind;
    EXPECT_EQ(load_model(path("straight"), {}).features.weights.size(), 15u);
  }
}

TEST_F(NamedFeaturesRunTest, FamiliesOfTheConfigChooseAndOrderTheColumns) {
  Config config = small_categorical();
  config.families = {{"summary"}};
  run_training(config);
  for (const std::string& name : load_model(path("run"), {}).features.names)
    EXPECT_TRUE(name.starts_with("summary/")) << name;
  config.families = {{"summary"}, {"pressure"}};
  expect_error(ErrorKind::Data,
               "x.npy: holds no features of the family pressure, which families of the config "
               "names; there are initial, summary",
               [&] { run_training(config); });
}

TEST_F(NamedFeaturesRunTest, UnequalNumbersOfLevelsAreRefused) {
  Config config = small_categorical();
  config.model.levels = {{"*", {{4, 8}}}, {"cluster_2", {{4, 8}, {4, 6}}}};
  expect_error(ErrorKind::Config, "every category has as many", [&] { run_training(config); });
}

TEST_F(NamedFeaturesRunTest, AResidualDecoderAndEveryLossTrain) {
  Config config = small_categorical();
  config.model.decoder.residual_sizes = {24, 16};
  config.model.activation = "silu";
  config.losses.entropy = 0.05;
  config.training.num_epochs = 1;
  const auto last = run_training(config).last;
  for (const char* loss : {"reconstruction", "informativeness", "codebook_orthogonality",
                           "topographic", "entropy", "commitment"})
    EXPECT_TRUE(last.contains(std::string("train_") + loss)) << loss;
}

}  // namespace
}  // namespace tessera
