// Categories that go while a run learns them.
#include "training/category_pruning.h"

#include <regex>

#include "data/planted_features.h"
#include "tessera/category_assignment.h"
#include "tessera/tokens.h"
#include "testing/numbers.h"
#include "training/run_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class CategoryPruningTest : public RunTest {
 protected:
  /// 300 rows of 12 features in categories of six, five and one; five steps an epoch, five epochs.
  /// In the two epochs before the first look logits move by less than it takes to change a category.
  Config learned_config(const std::string& run = "run") {
    Config config = small_config(run);
    std::filesystem::create_directories(path("data/features"));
    write_npy(path("data/features/initial.npy"), planted_rows(300));
    write_mapping({"large", "middle", "tiny"}, {6, 5, 1});
    config.data.path = path("data");
    config.data.cleaning.enabled = false;
    config.model = {.kind = "categorical"};
    config.model.category_embedding_dim = config.model.category_hidden_dim = 8;
    config.model.decoder.hidden_dim = config.model.decoder.partial_hidden_dim = 8;
    config.model.levels = {{"*", {{4, 16}, {3, 8}}}};
    config.quantizer.codebook_size = QuantizerConfig().codebook_size;
    config.categories.mapping_file = path("map.json");
    config.training.num_epochs = 5;
    config.training.category_assignment = "learnable";
    config.learnable_assignment.assignment_init = 1;
    config.learnable_assignment.assignment_lr = 0.08;
    config.learnable_assignment.pruning = {
        .enabled = true, .interval = 2, .start_epoch = 2, .min_features = 3};
    return config;
  }
  void write_mapping(const std::vector<std::string>& names, const std::vector<int>& sizes) {
    nlohmann::ordered_json mapping;
    int next = 0;
    for (size_t k = 0; k < names.size(); ++k)
      for (int i = 0; i < sizes[k]; ++i)
        mapping[names[k]].push_back("initial/initial_" + std::to_string(next++));
    std::ofstream(path("map.json")) << mapping.dump();
  }
  std::string output_of(const Config& config, const std::string& resume = "") {
    Console console;
    ::testing::internal::CaptureStdout();
    try {
      train({.config = config, .resume = resume, .overwrite = resume.empty()}, console);
    } catch (...) {
      ::testing::internal::GetCapturedStdout();
      throw;
    }
    return ::testing::internal::GetCapturedStdout();
  }
  static void expect_line(const std::string& text, const std::string& pattern) {
    EXPECT_TRUE(std::regex_search(text, std::regex("(^|\n)" + pattern + "\n"))) << text;
  }
  /// Step of a checkpoint of the straight run; 0 for another file.
  static uint64_t step_of(const std::filesystem::path& file) {
    std::string why;
    return file.filename().string().starts_with("step_")
               ? whole_checkpoint_step(file.string(), &why).value_or(0)
               : 0;
  }
  /// A checkpoint of the straight run, and a run that goes on from it elsewhere.
  void expect_same_end(const Config& config, const std::string& checkpoint) {
    Config elsewhere = config;
    elsewhere.training.checkpoint_dir = path("elsewhere");
    std::filesystem::remove_all(path("elsewhere"));
    run_training(elsewhere, path(checkpoint));
    expect_same_bits(path("elsewhere/last.safetensors"), path("straight/last.safetensors"));
  }
};

TEST_F(CategoryPruningTest, ACategoryTooSmallGoesWithAReasonAndTrainingGoesOn) {
  const std::string text = output_of(learned_config());
  expect_line(text,
              "Pruned category tiny after epoch 2: 1 feature, at least 3; it joins "
              "(large|middle) \\(1\\)");
  expect_line(text, "Categories: 3 before, 2 left; [0-9]+ parameters");
  EXPECT_EQ(text.find("after epoch 4"), std::string::npos) << text;
  std::vector<int> categories;
  for (const auto& line : metrics()) {
    categories.push_back(line["assignment_categories"]);
    EXPECT_TRUE(std::isfinite(line["train_total"].get<double>()));
  }
  EXPECT_EQ(categories, (std::vector<int>{3, 3, 2, 2, 2}));
}

TEST_F(CategoryPruningTest, ModelAndTokensHaveTheCategoriesThatAreLeft) {
  run_training(learned_config());
  TrainedModel trained = load_model(path("run/last.safetensors"), {});
  ASSERT_EQ(trained.features.categories.size(), 2u);
  EXPECT_EQ(trained.features.categories[1].name, "middle");
  EXPECT_EQ(trained.config.model.levels.size(), 2u);
  EXPECT_EQ(trained.model->quantizer().table().size(), 4);
  EXPECT_EQ(std::ranges::count(trained.model->learned()->initial(), -1), 1);
  const TokenizeReport report = encode_file(trained, path("data"), path("tokens.npy"), 100, quiet_);
  EXPECT_EQ(report.tokens_per_sample, 4);
  std::ifstream file(path("tokens.json"));
  const std::string names(std::istreambuf_iterator<char>(file), {});
  EXPECT_NE(names.find("middle"), std::string::npos);
  EXPECT_EQ(names.find("tiny"), std::string::npos) << names;
}

TEST_F(CategoryPruningTest, GoingOnGivesTheSameBitsBeforeWithinAndAfterTheEpochOfPruning) {
  Config config = learned_config("straight");
  config.training.checkpoint_every_steps = 1;
  config.training.checkpoint_every_epochs = 1;
  config.training.keep_last = 100;
  config.training.gradient_clip_norm = 0.5;
  config.learnable_assignment.modularity_weight = 1;
  run_training(config);
  int resumed = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path("straight"))) {
    // Of five steps an epoch: within the second, before and within the third, before the fourth.
    const uint64_t step = step_of(entry.path());
    if (step != 8 && step != 10 && step != 13 && step != 15) continue;
    const std::string name = entry.path().filename().string();
    SCOPED_TRACE(name);
    expect_same_end(config, "straight/" + name);
    ++resumed;
  }
  EXPECT_EQ(resumed, 4);
}

TEST_F(CategoryPruningTest, GradientCodebooksAndMergingGoOnToTheSameBits) {
  Config config = learned_config("straight");
  config.quantizer.kind = "gradient";
  config.learnable_assignment.pruning.merge_likeness = 0.01;
  config.training.checkpoint_every_steps = 12;
  config.training.keep_last = 100;
  const std::string text = output_of(config);
  expect_line(text, "Merged middle into large after epoch 2: likeness [0-9.]+, at least 0.01");
  std::string checkpoint;
  for (const auto& entry : std::filesystem::directory_iterator(path("straight")))
    if (step_of(entry.path()) == 12) checkpoint = "straight/" + entry.path().filename().string();
  expect_same_end(config, checkpoint);
  TrainedModel trained = load_model(path("straight/last.safetensors"), {});
  EXPECT_EQ(trained.model->learned()->hard(), std::vector<int32_t>(12, 0));
  EXPECT_EQ(std::ranges::count(trained.model->learned()->initial(), 0), 11)
      << "middle is part of it";
}

TEST_F(CategoryPruningTest, TheLastCategoryStays) {
  Config config = learned_config();
  config.learnable_assignment.pruning.min_features = 100;
  const std::string text = output_of(config);
  expect_line(text, "Categories: 3 before, 1 left; [0-9]+ parameters");
  EXPECT_EQ(load_model(path("run/last.safetensors"), {}).features.categories.size(), 1u);
  EXPECT_TRUE(std::isfinite(metrics().back()["train_total"].get<double>()));
}

TEST_F(CategoryPruningTest, ACategoryThatTellsNothingGoes) {
  Config config = learned_config();
  config.learnable_assignment.pruning.min_features = 0;
  config.learnable_assignment.pruning.min_usefulness = 1e6;
  expect_line(output_of(config),
              "Pruned category tiny after epoch 2: usefulness [-+.e0-9]+, at least 1e\\+06; its 1 "
              "features? joins? (large|middle) \\(1\\)");
}

TEST_F(CategoryPruningTest, UsefulnessIsTheRiseWithoutTheCategorysTokens) {
  const Config config = learned_config();
  run_training(config);
  TrainedModel trained = load_model(path("run/last.safetensors"), {});
  Tokenizer& model = *trained.model;
  RunData data = RunData::load(config, {}, quiet_);
  const std::vector<double> before = category_usefulness(model, data.set.source(), data.train);
  ASSERT_EQ(before.size(), 2u);
  EXPECT_GT(before[0], 0);
  // A decoder that does not read the first category's seven columns.
  for (NamedTensor& named : model.tensors()) {
    if (named.name != "model/decoder/hidden/weight") continue;
    std::vector<float> weights = named.tensor.to_host();
    for (size_t e = 0; e < weights.size(); ++e)
      if (e % 14 < 7) weights[e] = 0;
    named.tensor.write(weights);
  }
  const std::vector<double> after = category_usefulness(model, data.set.source(), data.train);
  EXPECT_EQ(after[0], 0);
  EXPECT_NE(after[1], 0);
}

TEST_F(CategoryPruningTest, NothingGoesWhereItIsOffOrTheAssignmentIsFrozen) {
  Config config = learned_config();
  config.training.num_epochs = 3;
  config.learnable_assignment.pruning.enabled = false;
  EXPECT_EQ(output_of(config).find("Pruned"), std::string::npos);
  config.learnable_assignment.pruning.enabled = true;
  config.learnable_assignment.freeze_after_epochs = 1;
  EXPECT_EQ(output_of(config).find("Pruned"), std::string::npos);
  config.learnable_assignment.freeze_after_epochs = 2;
  EXPECT_NE(output_of(config).find("Pruned"), std::string::npos) << "before it freezes";
}

TEST_F(CategoryPruningTest, OtherCategoriesAreStillRefused) {
  Config config = learned_config();
  run_training(config);
  config.training.num_epochs = 6;
  write_mapping({"large", "other", "tiny"}, {6, 5, 1});
  expect_error(ErrorKind::Config, "began with another config (model.levels",
               [&] { run_training(config, "auto"); });
  write_mapping({"middle", "large", "tiny"}, {5, 6, 1});  // the same names in another order
  EXPECT_THROW(run_training(config, "auto"), Error);
}

TEST_F(CategoryPruningTest, TheFoldersConfigStartsTheWholeRunAnew) {
  Config config = learned_config();
  run_training(config);
  config.training.num_epochs = 6;
  run_training(config, "auto");
  const Config again = load_config(path("run/config.resolved.yaml"));
  EXPECT_EQ(again.model.levels.size(), 3u);
  expect_line(output_of(again), "Pruned category tiny after epoch 2: .*");
}

/// Twelve categories for eight planted blocks: a fifth of the features begins in a wrong one of the
/// twelve, noise in any. The recipe is that of the customer's study, section 5, with half the steps.
TEST_F(CategoryPruningTest, MisplacedFeaturesInTooManyCategoriesEndInThePlantedBlocks) {
  const Planted planted = planted_features(1, 2000);
  const auto count = static_cast<int64_t>(planted.block.size());
  std::filesystem::create_directories(path("data/features"));
  write_npy(path("data/features/initial.npy"),
            HostArray::from_values<float>({2000, count}, planted.features.values));
  const std::vector<int32_t> draws = integers(count, 7, 60), wrong = integers(count, 8, 11);
  nlohmann::ordered_json mapping;
  for (int32_t k = 0; k < 12; ++k) mapping["c" + std::to_string(k)] = nlohmann::json::array();
  for (size_t i = 0; i < planted.block.size(); ++i) {
    const int32_t block = planted.block[i];
    const bool is_wrong = block < 0 || draws[i] < 12;
    const int32_t start = is_wrong ? (block + 1 + wrong[i]) % 12 : block;
    mapping["c" + std::to_string(start)].push_back("initial/initial_" + std::to_string(i));
  }
  std::ofstream(path("map.json")) << mapping.dump();
  Config config = small_config();
  config.data.path = path("data");
  config.data.cleaning.enabled = false;
  config.model = {.kind = "categorical"};
  config.model.category_embedding_dim = 16;
  config.model.category_hidden_dim = 64;
  config.model.decoder.hidden_dim = config.model.decoder.partial_hidden_dim = 64;
  config.model.levels = {{"*", {{8, 32}}}};
  config.model.dropout = 0;
  config.quantizer.codebook_size = QuantizerConfig().codebook_size;
  config.quantizer.ema_decay = 0.97;
  config.losses.informativeness = 1;
  config.losses.codebook_orthogonality = config.losses.topographic = 0;
  config.categories.mapping_file = path("map.json");
  config.training.num_epochs = 36;
  config.training.batch_size = 128;
  config.training.learning_rate = 2e-3;
  config.training.validation_interval = 36;
  config.training.category_assignment = "learnable";
  config.learnable_assignment.modularity_weight = 1;
  config.learnable_assignment.balance_weight = 0;
  config.learnable_assignment.pruning = {.enabled = true, .merge_likeness = 0.6};
  run_training(config);
  const TrainedModel trained = load_model(path("run/last.safetensors"), {});
  EXPECT_GE(trained.features.categories.size(), 8u);
  EXPECT_LE(trained.features.categories.size(), 9u);
  const std::vector<int32_t> learned = trained.model->learned()->hard();
  std::vector<int32_t> blocks, categories;
  for (size_t i = 0; i < learned.size(); ++i) {
    const std::string& name = trained.features.names[i];
    const int32_t block =
        planted.block[static_cast<size_t>(std::stoi(name.substr(name.rfind('_') + 1)))];
    if (block < 0) continue;  // noise belongs nowhere
    blocks.push_back(block);
    categories.push_back(learned[i]);
  }
  EXPECT_GE(adjusted_rand_index(blocks, categories), 0.95);
}

}  // namespace
}  // namespace tessera
