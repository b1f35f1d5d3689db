#include "tessera/trainer.h"

#include <regex>

#include "training/run_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class TrainerTest : public RunTest {};

double last_of(const std::vector<nlohmann::ordered_json>& lines, const std::string& key) {
  return lines.back()[key].get<double>();
}

TEST_F(TrainerTest, ErrorFallsTowardsTheNoiseOfPlantedClusters) {
  Config config = small_config();
  config.training.num_epochs = 60;
  run_training(config);
  const auto lines = metrics();
  // The noise itself is 0.0025; 16 codes for 8 clusters leave a model that learns near it.
  EXPECT_LT(last_of(lines, "validation_reconstruction"), 4 * kNoise * kNoise);
  EXPECT_GT(lines.front()["validation_reconstruction"].get<double>(), 20 * kNoise * kNoise);
}

/// Losses of a run with one changed setting: the first and the last epoch's reconstruction.
class VariantTest : public RunTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(VariantTest, TrainsToo) {
  Config config = small_config();
  config.training.num_epochs = 25;
  const std::string kind = GetParam();
  if (kind == "gradient") config.quantizer.kind = "gradient";
  if (kind == "rotation") config.quantizer.estimator = "rotation";
  if (kind == "gradient_rotation") {
    config.quantizer.kind = "gradient";
    config.quantizer.estimator = "rotation";
  }
  if (kind == "clipped") config.training.gradient_clip_norm = 0.1;
  run_training(config);
  const auto lines = metrics();
  EXPECT_LT(last_of(lines, "train_reconstruction"),
            0.3 * lines.front()["train_reconstruction"].get<double>());
  EXPECT_EQ(lines.back().contains("train_codebook"), config.quantizer.kind == "gradient");
}
INSTANTIATE_TEST_SUITE_P(Settings, VariantTest,
                         ::testing::Values("gradient", "rotation", "gradient_rotation", "clipped"),
                         [](const auto& info) { return std::string(info.param); });

TEST_F(TrainerTest, GradientCodebooksHaveTheirOptimizerInTheCheckpoint) {
  Config config = small_config();
  config.quantizer.kind = "gradient";
  config.training.num_epochs = 1;
  run_training(config);
  const SafetensorsFile file(path("run/last.safetensors"));
  EXPECT_TRUE(file.contains("optimizer/codebook/m"));
  EXPECT_FALSE(file.contains("quantizer/ema_sums"));
}

TEST_F(TrainerTest, EveryRowIsTrainedOnceAnEpoch) {
  // Each row keeps a code of its own: they are far apart and nothing moves. 40 rows in batches of
  // 16 make a last batch of 8.
  std::vector<float> values(40 * kFeatures);
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = 50 * kernels::random_uniform(3, 9999, 2, i);
  Config config = small_config();
  write_npy(config.data.path, HostArray::from_values<float>({40, kFeatures}, values));
  config.data.validation_fraction = 0;
  config.quantizer.codebook_size = 40;
  config.quantizer.dead_code.policy = "none";
  config.training.batch_size = 16;
  config.training.learning_rate = 1e-12;
  config.training.num_epochs = 3;
  const TrainReport report = run_training(config);
  EXPECT_EQ(report.steps, 9u);
  const HostArray usage = SafetensorsFile(path("run/last.safetensors")).read("quantizer/usage");
  EXPECT_EQ(list(usage.values<int64_t>()), std::vector<int64_t>(40, 1));
}

TEST_F(TrainerTest, MetricsHaveALineAnEpochWithEveryKey) {
  run_training(small_config());
  const auto lines = metrics();
  ASSERT_EQ(lines.size(), 4u);
  for (size_t i = 0; i < lines.size(); ++i) {
    EXPECT_EQ(lines[i]["epoch"], i + 1);
    EXPECT_EQ(lines[i]["step"], 5 * (i + 1));
    for (const char* key :
         {"seconds", "rows_per_second", "learning_rate", "train_total", "train_reconstruction",
          "train_commitment", "validation_total", "validation_reconstruction",
          "validation_commitment", "utilization", "perplexity", "dead_codes", "code_resets"})
      EXPECT_TRUE(lines[i].contains(key) && lines[i][key].is_number()) << key;
  }
}

TEST_F(TrainerTest, TotalIsTheWeightedSumOfTheTerms) {
  Config config = small_config();
  config.losses.reconstruction = 2;
  config.quantizer.commitment_weight = 0.5;
  run_training(config);
  for (const auto& line : metrics())
    EXPECT_DOUBLE_EQ(line["train_total"].get<double>(),
                     2 * line["train_reconstruction"].get<double>() +
                         0.5 * line["train_commitment"].get<double>());
}

TEST_F(TrainerTest, HistoryHoldsTheColumnsOfTheMetrics) {
  run_training(small_config());
  const auto history = nlohmann::json::parse(std::ifstream(path("run/history.json")));
  const auto lines = metrics();
  EXPECT_EQ(history["epoch"], (std::vector<int>{1, 2, 3, 4}));
  for (size_t i = 0; i < lines.size(); ++i)
    for (const auto& [key, value] : lines[i].items()) EXPECT_EQ(history[key][i], value) << key;
}

TEST_F(TrainerTest, HistoryHoldsTheLossesWithCachedOnesRepeated) {
  Config config = small_config();
  config.training.num_epochs = 5;
  config.training.validation_interval = 2;
  run_training(config);
  const auto history = nlohmann::json::parse(std::ifstream(path("run/history.json")));
  const auto lines = metrics();
  ASSERT_EQ(history["val_loss"].size(), 5u);
  EXPECT_TRUE(history["val_loss"][0].is_null());
  for (const size_t epoch : {1, 2}) EXPECT_EQ(history["val_loss"][epoch], lines[1]["validation_total"]);
  EXPECT_EQ(history["val_loss"][4], lines[4]["validation_total"]);
  EXPECT_EQ(history["train_loss"], history["train_total"]);
  EXPECT_EQ(history["metrics"], nlohmann::json(lines));
  EXPECT_EQ(history["final_metrics"]["utilization"], lines[4]["utilization"]);
}

TEST_F(TrainerTest, EventsHoldTheNumbersOfEachEpoch) {
  run_training(small_config());
  const std::vector<EventSteps> files = event_files("run");
  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0], (EventSteps{0, 5, 10, 15, 20}));
  const Bytes bytes = get(event_paths("run")[0]);
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const char* tag : {"train/total", "train/reconstruction", "validation/total", "utilization",
                          "perplexity", "learning_rate"})
    EXPECT_NE(text.find(tag), std::string::npos) << tag;
}

TEST_F(TrainerTest, ResolvedConfigLoadsBackEqual) {
  Config config = small_config();
  run_training(config);
  config.model.input_size = kFeatures;  // filled in from the data
  EXPECT_EQ(load_config(path("run/config.resolved.yaml")), config);
  EXPECT_EQ(load_model(path("run"), {}).config, config);
}

TEST_F(TrainerTest, LastIsTheLastEpochAndBestTheLowestError) {
  Config config = small_config();
  config.training.num_epochs = 6;
  config.training.learning_rate = 0.3;  // so high that the loss goes up and down
  run_training(config);
  const auto lines = metrics();
  const auto best = std::min_element(lines.begin(), lines.end(), [](const auto& a, const auto& b) {
    return a["validation_reconstruction"].template get<double>() <
           b["validation_reconstruction"].template get<double>();
  });
  EXPECT_EQ(load_model(path("run/last.safetensors"), {}).epoch, 6u);
  EXPECT_EQ(load_model(path("run/best.safetensors"), {}).epoch, (*best)["epoch"].get<uint64_t>());
}

TEST_F(TrainerTest, ValidationIsRunAtItsIntervalAndAtTheEnd) {
  Config config = small_config();
  config.training.num_epochs = 5;
  config.training.validation_interval = 3;
  run_training(config);
  std::vector<bool> validated;
  for (const auto& line : metrics()) validated.push_back(!line["validation_total"].is_null());
  EXPECT_EQ(validated, (std::vector<bool>{false, false, true, false, true}));
}

TEST_F(TrainerTest, WithoutValidationRowsTheTrainingErrorDecidesTheBest) {
  Config config = small_config();
  config.data.validation_fraction = 0;
  run_training(config);
  EXPECT_TRUE(metrics()[0]["validation_total"].is_null());
  EXPECT_TRUE(exists("run/best.safetensors"));
}

TEST_F(TrainerTest, StandardNormalizationIsFittedToTheTrainingRowsAndKept) {
  Config config = small_config();
  write_npy(config.data.path, planted_rows(300, 100));
  config.data.normalization = "standard";
  config.training.num_epochs = 1;
  run_training(config);
  const HostRows rows = load_rows(config.data.path);
  const TrainValidation split = split_rows(300, 0.1, 0);
  const Normalizer expected = fit_normalizer("standard", rows, split.train);
  EXPECT_EQ(load_model(path("run"), {}).normalizer, expected);
  EXPECT_NEAR(expected.mean[0], 100, 1.5);
}

TEST_F(TrainerTest, EpochBlockIsAsDecided) {
  ::testing::internal::CaptureStdout();
  Config config = small_config();
  config.training.num_epochs = 4;
  config.training.validation_interval = 2;
  config.data.max_samples = 100;
  Console console;
  train({.config = config, .resume = "", .overwrite = false}, console);
  const std::string text = ::testing::internal::GetCapturedStdout();
  const std::string number = "[0-9]+\\.[0-9]{4}";
  EXPECT_TRUE(std::regex_search(
      text, std::regex("Epoch 1/4 \\([0-9]+\\.[0-9]s\\): train=" + number +
                       " val=none\n  Components: recon=" + number + " vq=" + number +
                       "\n  Utilization: [0-9]+\\.[0-9]%\nEpoch 2/4 ")))
      << text;
  EXPECT_TRUE(std::regex_search(text, std::regex("Epoch 3/4 .*val=" + number + " \\(cached\\)\n")))
      << text;
}

TEST_F(TrainerTest, RunIsIntroducedAndSummedUp) {
  ::testing::internal::CaptureStdout();
  Config config = small_config();
  config.training.num_epochs = 2;
  Console console;
  train({.config = config, .resume = "", .overwrite = false}, console);
  const std::string text = ::testing::internal::GetCapturedStdout();
  const std::string rule(70, '=');
  EXPECT_TRUE(text.starts_with(rule + "\nVQ-VAE TRAINING\n" + rule +
                               "\nEpochs: 2\nTraining samples: 270\nValidation samples: 30\n"
                               "Device: cpu\nValidation: every epoch\n"
                               "Loss weights: reconstruction=1 commitment=0.25\n" +
                               rule + "\n"))
      << text;
  EXPECT_TRUE(std::regex_search(
      text, std::regex("TRAINING COMPLETE\n=+\nTotal time: [0-9]+s\nFinal metrics:\n"
                       "(  [a-z_]+: [0-9]+\\.[0-9]{4}\n)+  validation_total: ")))
      << text;
  EXPECT_EQ(text.find("rows_per_second"), std::string::npos);
}

TEST_F(TrainerTest, StopsEarlyWhereTheErrorNoLongerFalls) {
  ::testing::internal::CaptureStdout();
  Config config = small_config();
  config.training.num_epochs = 20;
  config.training.early_stopping = {.patience = 3, .min_delta = 100};
  Console console;
  const TrainReport report =
      train({.config = config, .resume = "", .overwrite = false}, console);
  const std::string text = ::testing::internal::GetCapturedStdout();
  EXPECT_EQ(report.epochs, 4u);  // the first is the best
  EXPECT_EQ(metrics().size(), 4u);
  EXPECT_NE(text.find("  [EarlyStopping] Improvement at epoch 1, new best loss: "),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("  [EarlyStopping] Stopping at epoch 4, best loss: "), std::string::npos)
      << text;
  EXPECT_NE(text.find("TRAINING COMPLETE"), std::string::npos) << text;
}

TEST_F(TrainerTest, PatienceCountsEpochsBetweenValidationsToo) {
  Config config = small_config();
  config.training.num_epochs = 20;
  config.training.validation_interval = 4;
  config.training.early_stopping = {.patience = 8, .min_delta = 100};
  EXPECT_EQ(run_training(config).epochs, 12u);  // validated in 4, 8 and 12
}

TEST_F(TrainerTest, AdaptivePolicyReplacesCodesBetweenEpochs) {
  ::testing::internal::CaptureStdout();
  Config config = small_config();
  use_few_codes(config);
  config.training.num_epochs = 52;
  Console console;
  train({.config = config, .resume = "", .overwrite = false}, console);
  const std::string text = ::testing::internal::GetCapturedStdout();
  EXPECT_TRUE(std::regex_search(
      text, std::regex("  \\[DeadCodeReset\\] Epoch 50: Reset [0-9]+ dead codes "
                       "\\(emergency: [0-9.]+% of the codes used\\)\nEpoch 51/52 ")))
      << text;
  const auto lines = metrics();
  EXPECT_EQ(lines[49]["code_resets"], 0);
  EXPECT_EQ(lines[50]["code_resets"], 32);  // a quarter of 128
  EXPECT_GT(lines[50]["utilization"].get<double>(), lines[49]["utilization"].get<double>());
}

TEST_F(TrainerTest, PeriodicCheckpointsAreKeptAsManyAsAskedFor) {
  Config config = small_config();
  config.training.num_epochs = 6;
  config.training.checkpoint_every_epochs = 2;
  run_training(config);
  EXPECT_FALSE(exists("run/step_10.safetensors"));
  EXPECT_TRUE(exists("run/step_20.safetensors"));
  EXPECT_EQ(load_model(path("run/step_30.safetensors"), {}).epoch, 6u);
  config.training.keep_last = 3;
  run_training(config, "", true);
  for (const char* name : {"10", "20", "30"})
    EXPECT_TRUE(exists("run/step_" + std::string(name) + ".safetensors")) << name;
}

TEST_F(TrainerTest, InputSizeOfTheConfigMustBeThatOfTheData) {
  Config config = small_config();
  config.model.input_size = 13;
  expect_error(ErrorKind::Config, "model.input_size is 13", [&] { run_training(config); });
}

TEST_F(TrainerTest, FewerRowsThanCodesAreRefused) {
  Config config = small_config();
  config.data.max_samples = 10;
  expect_error(ErrorKind::Config, "smaller codebook", [&] { run_training(config); });
}

}  // namespace
}  // namespace tessera
