// Runs that learn which features belong to which category.
#include <regex>

#include "tessera/category_assignment.h"
#include "training/assignment_training.h"
#include "training/categorical_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class LearnableRunTest : public CategoricalTest {
 protected:
  /// Three categories of planted features, with what the seeds' example sets.
  Config learnable_config() {
    Config config = small_categorical();
    config.training.category_assignment = "learnable";
    config.learnable_assignment.temperature_schedule = "linear";
    config.learnable_assignment.temperature_hold = 0;
    config.learnable_assignment.assignment_lr = 0.001;
    return config;
  }
  std::string output_of(const Config& config) {
    Console console;
    ::testing::internal::CaptureStdout();
    train({.config = config, .resume = "", .overwrite = true}, console);
    return ::testing::internal::GetCapturedStdout();
  }
  std::vector<int32_t> assigned(const std::string& name) const {
    const HostArray array = SafetensorsFile(path("run/last.safetensors")).read("assignment/" + name);
    const auto values = array.values<int32_t>();
    return {values.begin(), values.end()};
  }
};

TEST_F(LearnableRunTest, LogHasTheLinesOfTheSeeds) {
  Config config = learnable_config();
  config.training.num_epochs = 5;
  const std::string text = output_of(config);
  for (const char* line :
       {"[LEARNABLE ASSIGNMENT MODE]\n",
        "Creating learnable categorical VQ-VAE with end-to-end assignment learning\n",
        "Initializing assignment matrix from clustering...\n",
        "Assignment matrix initialized: SoftAssignmentMatrix\n",
        "Learnable assignment training enabled:\n  Assignment LR: 0.001\n"
        "  Temperature schedule: linear\n",
        "\n  Gradient clip norm: 1.0\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "\nis missing from\n" << text;
  const std::string number = "=-?[0-9]+\\.[0-9]{4}\n";
  EXPECT_TRUE(std::regex_search(
      text, std::regex("\n {14}assign_orthogonality" + number + " {14}assign_balance" + number +
                       " {14}assign_total" + number + "  Temperature: [0-9.]+\n  Utilization: ")))
      << text;
  std::vector<std::string> temperatures;
  const std::regex line("  Temperature: ([0-9.]+)\n");
  for (std::sregex_iterator i(text.begin(), text.end(), line), end; i != end; ++i)
    temperatures.push_back((*i)[1]);
  EXPECT_EQ(temperatures, (std::vector<std::string>{"1.00", "0.78", "0.55", "0.32", "0.10"}));
}

TEST_F(LearnableRunTest, ThreeGroupsOfParametersAllMove) {
  Config config = learnable_config();
  config.quantizer.kind = "gradient";
  config.training.num_epochs = 1;
  run_training(config);
  const SafetensorsFile file(path("run/last.safetensors"));
  for (const char* group : {"model", "assignment", "codebook"}) {
    const HostArray moment = file.read(std::string("optimizer/") + group + "/v");
    double sum = 0;
    for (const float v : moment.values<float>()) sum += double(v);
    EXPECT_GT(sum, 0) << group;
  }
  // No parameter is in two groups: each is named once, under its own.
  const auto names = file.names();
  EXPECT_EQ(std::ranges::count(names, "assignment/logits"), 1);
  EXPECT_EQ(std::ranges::count(names, "model/logits"), 0);
}

TEST_F(LearnableRunTest, ResumedInTheMiddleOfAnEpochItEndsWithTheSameBits) {
  for (const char* schedule : {"exponential", "adaptive"}) {
    Config config = learnable_config();
    config.learnable_assignment.temperature_schedule = schedule;
    config.learnable_assignment.assignment_lr = 0.05;
    config.learnable_assignment.freeze_after_epochs = 3;
    config.training.num_epochs = 5;
    config.training.checkpoint_every_steps = 3;
    config.training.keep_last = 100;
    config.training.checkpoint_dir = path("straight");
    run_training(config, "", true);
    for (const char* step : {"step_9", "step_18"}) {
      config.training.checkpoint_dir = path(std::string(step) + schedule);
      std::filesystem::create_directories(config.training.checkpoint_dir);
      const std::string from = path(std::string("straight/") + step + ".safetensors");
      if (!std::filesystem::exists(from)) continue;
      run_training(config, from);
      expect_same_bits(config.training.checkpoint_dir + "/last.safetensors",
                       path("straight/last.safetensors"));
    }
    EXPECT_TRUE(std::filesystem::exists(path("straight/step_9.safetensors")));
  }
}

TEST_F(LearnableRunTest, AMisplacedFeatureComesHome) {
  Config config = learnable_config();
  auto blocks = planted_blocks();
  blocks[1].push_back(blocks[0][0]);
  blocks[0].erase(blocks[0].begin());
  write_mapping("map.json", blocks);
  config.categories = {};
  config.categories.mapping_file = path("map.json");
  config.losses.informativeness = 1;
  config.losses.topographic = config.losses.codebook_orthogonality = 0;
  config.model.dropout = 0;
  config.learnable_assignment.assignment_lr = 0.02;
  config.training.batch_size = 32;
  config.training.num_epochs = 60;
  run_training(config);
  EXPECT_EQ(changed_features(assigned("initial"), assigned("hard")), 1);
  const TrainedModel model = load_model(path("run"), {});
  const auto at = std::ranges::find(model.features.names, "initial/a0");
  ASSERT_NE(at, model.features.names.end());
  EXPECT_EQ(assigned("hard")[static_cast<size_t>(at - model.features.names.begin())], 0);
}

TEST_F(LearnableRunTest, CollapseIsNamedWithAdvice) {
  Console console;
  Config config = learnable_config();
  const RunData data = RunData::load(config, {}, quiet_);
  config = with_sizes(config, data);
  const std::unique_ptr<Tokenizer> model = make_tokenizer(config, data.features, {});
  AssignmentProgress progress;
  AssignmentTraining training(*model, config, data, 5, progress);
  training.start(quiet_);
  const auto said_after = [&] {
    ::testing::internal::CaptureStderr();
    training.end_epoch(console);
    return ::testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(said_after(), "");
  std::vector<float> logits = model->learned()->logits();
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = i % 3 == 1 ? 4.0f : -4.0f;
  model->learned()->write_logits(logits);
  const std::string said = said_after();
  for (const char* part : {"collapsed: all features are in category", "balance_weight (from 0.05 to 0.10)",
                           "temperature_end (from 0.1 to 0.3)"})
    EXPECT_NE(said.find(part), std::string::npos) << said;
}

TEST_F(LearnableRunTest, SkippingSaysOnceWhatItChanges) {
  Config config = learnable_config();
  config.learnable_assignment.assignment_init = 6;
  config.training.num_epochs = 2;
  const std::string text = output_of(config);
  const std::regex line(
      "Categories read and give back 33\\.3% of the features from now on \\(shares of 0\\.0001 and "
      "more\\); the validation total goes from ([0-9.]+) to ([0-9.]+) \\(by [-+]");
  std::smatch found;
  ASSERT_TRUE(std::regex_search(text, found, line)) << text;
  EXPECT_NEAR(std::stod(found[1]), std::stod(found[2]), 1e-3 * std::stod(found[1]));
  EXPECT_EQ(text.find("Categories read", static_cast<size_t>(found.position()) + 1),
            std::string::npos);
}

TEST_F(LearnableRunTest, DenseModelsHaveNothingToLearn) {
  Config config = small_config();
  config.training.category_assignment = "learnable";
  expect_error(ErrorKind::Config, "training.category_assignment is for named features",
               [&] { run_training(config); });
}

TEST_F(LearnableRunTest, TokensComeFromTheHardAssignment) {
  Config config = learnable_config();
  config.training.num_epochs = 2;
  run_training(config);
  TrainedModel model = load_model(path("run"), {});
  LearnedAssignment& learned = *model.model->learned();
  const std::vector<float> rows(static_cast<size_t>(4 * model.model->features()), 0.5f);
  const Tensor x = Tensor::from_host(4, model.model->features(), rows);
  const std::vector<float> hard = model.model->encode({}, Var(x)).value().to_host();
  learned.set_evaluation(1, false);
  EXPECT_NE(model.model->encode({}, Var(x)).value().to_host(), hard);
  learned.set_evaluation(1, true);
  EXPECT_EQ(model.model->encode({}, Var(x)).value().to_host(), hard);
}

}  // namespace
}  // namespace tessera
