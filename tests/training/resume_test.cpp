// Resuming inside one process: what is restored, what is refused. Killed processes are in
// tests/tools/resume_command_test.cpp.
#include "training/run_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

/// Writes the checkpoint again with five numbers of progress, as the first version had.
void shorten_progress(const std::string& path) {
  const SafetensorsFile file(path);
  std::vector<std::pair<std::string, HostArray>> arrays;
  for (const std::string& name : file.names()) arrays.emplace_back(name, file.read(name));
  std::vector<ArrayView> views;
  for (auto& [name, array] : arrays) {
    if (name == "state/progress") {
      array.bytes.resize(5 * sizeof(double));
      array.shape = {5 * sizeof(double)};
    }
    views.push_back(view_of(name, array));
  }
  auto metadata = file.metadata();
  metadata["crc32"] = checksums_json(views);
  write_safetensors(path, views, metadata);
}

class ResumeTest : public RunTest {
 protected:
  /// The tensors that `config` ends with, trained without a stop in a folder of its own.
  std::string straight(Config config) {
    config.training.checkpoint_dir = path("straight");
    run_training(config);
    return path("straight/last.safetensors");
  }
};

TEST_F(ResumeTest, RaisedEpochsContinueToTheBitsOfAStraightRun) {
  Config config = small_config();
  config.training.num_epochs = 2;
  run_training(config);
  config.training.num_epochs = 4;
  const TrainReport report = run_training(config, "auto");
  EXPECT_EQ(report.steps, 20u);
  expect_same_bits(path("run/last.safetensors"), straight(config));
  EXPECT_EQ(metrics().size(), 4u);
}

TEST_F(ResumeTest, GradientCodebooksContinueToTheSameBits) {
  Config config = small_config();
  config.quantizer.kind = "gradient";
  config.training.gradient_clip_norm = 0.5;
  config.training.num_epochs = 1;
  run_training(config);
  config.training.num_epochs = 3;
  run_training(config, "auto");
  expect_same_bits(path("run/last.safetensors"), straight(config));
}

TEST_F(ResumeTest, StandardNormalizationContinuesToTheSameBits) {
  Config config = small_config();
  config.data.normalization = "standard";
  config.training.num_epochs = 1;
  run_training(config);
  config.training.num_epochs = 3;
  run_training(config, "auto");
  expect_same_bits(path("run/last.safetensors"), straight(config));
}

TEST_F(ResumeTest, StepCheckpointsDoNotChangeTheResult) {
  Config config = small_config();
  const std::string expected = straight(config);
  config.training.checkpoint_every_steps = 2;
  run_training(config);
  expect_same_bits(path("run/last.safetensors"), expected);
  EXPECT_FALSE(exists("run/step_14.safetensors"));
  EXPECT_TRUE(exists("run/step_18.safetensors"));
}

TEST_F(ResumeTest, FinishedRunHasNothingToDo) {
  const Config config = small_config();
  run_training(config);
  const auto before = tensors_of(path("run/last.safetensors"));
  const TrainReport report = run_training(config, "auto");
  EXPECT_EQ(report.epochs, 4u);
  EXPECT_EQ(metrics().size(), 4u);
  EXPECT_EQ(tensors_of(path("run/last.safetensors")), before);
}

TEST_F(ResumeTest, EventsOfResumedEpochsAreThereOnce) {
  Config config = small_config();
  config.training.num_epochs = 3;
  run_training(config);
  std::filesystem::copy(path("run/last.safetensors"), path("last_of_3"));
  config.training.num_epochs = 4;
  run_training(config, "auto");
  // As if killed before the checkpoint of the fourth epoch was there.
  std::filesystem::copy(path("last_of_3"), path("run/last.safetensors"),
                        std::filesystem::copy_options::overwrite_existing);
  std::filesystem::remove(path("run/best.safetensors"));
  run_training(config, "auto");
  EXPECT_EQ(event_files(), (std::vector<EventSteps>{{0, 5, 10, 15}, {0, 20}}));
  run_training(config, "", true);
  EXPECT_EQ(event_files(), (std::vector<EventSteps>{{0, 5, 10, 15, 20}}));
}

TEST_F(ResumeTest, EarlyStoppingGoesOnCounting) {
  Config config = small_config();
  config.training.early_stopping = {.patience = 5, .min_delta = 100};
  config.training.num_epochs = 3;
  run_training(config);
  config.training.num_epochs = 20;
  EXPECT_EQ(run_training(config, "auto").epochs, 6u);
  const std::string expected = straight(config);
  expect_same_bits(path("run/last.safetensors"), expected);
}

TEST_F(ResumeTest, ARunThatStoppedEarlyHasNothingToDoUntilItMayWaitLonger) {
  Config config = small_config();
  config.training.num_epochs = 20;
  config.training.early_stopping = {.patience = 2, .min_delta = 100};
  run_training(config);
  const auto before = tensors_of(path("run/last.safetensors"));
  ::testing::internal::CaptureStdout();
  Console console;
  train({.config = config, .resume = "auto", .overwrite = false}, console);
  EXPECT_NE(::testing::internal::GetCapturedStdout().find(
                "Nothing to do: 3 of 20 epochs are trained, then the run stopped early"),
            std::string::npos);
  EXPECT_EQ(tensors_of(path("run/last.safetensors")), before);
  config.training.early_stopping.patience = 4;
  EXPECT_EQ(run_training(config, "auto").epochs, 5u);
  expect_same_bits(path("run/last.safetensors"), straight(config));
}

TEST_F(ResumeTest, AdaptiveDeadCodesContinueToTheSameBits) {
  Config config = small_config();
  use_few_codes(config);
  // Stopped before the reset after epoch 50, just before it, and after it, where its epoch counts.
  config.training.num_epochs = 62;
  const std::string expected = straight(config);
  for (const int64_t stop : {30, 50, 51}) {
    SCOPED_TRACE(stop);
    config.training.num_epochs = stop;
    run_training(config, "", true);
    config.training.num_epochs = 62;
    run_training(config, "auto");
    expect_same_bits(path("run/last.safetensors"), expected);
    EXPECT_GT(metrics().back()["code_resets"], 0);
  }
}

TEST_F(ResumeTest, ProgressOfAnOlderVersionIsReadAsFarAsItGoes) {
  Config config = small_config();
  config.training.num_epochs = 2;
  run_training(config);
  shorten_progress(path("run/last.safetensors"));
  std::filesystem::remove(path("run/best.safetensors"));
  config.training.num_epochs = 3;
  EXPECT_EQ(run_training(config, "auto").epochs, 3u);
  EXPECT_FALSE(metrics()[2]["validation_total"].is_null());
}

TEST_F(ResumeTest, AutoWithoutACheckpointStartsAnew) {
  const Config config = small_config();
  run_training(config, "auto");
  expect_same_bits(path("run/last.safetensors"), straight(config));
}

TEST_F(ResumeTest, ExistingRunIsRefusedAndKept) {
  const Config config = small_config();
  run_training(config);
  const auto names = listing();
  const Bytes last = get(path("run/last.safetensors")), lines = get(path("run/metrics.jsonl"));
  expect_error(ErrorKind::Usage, "already holds a run", [&] { run_training(config); });
  EXPECT_EQ(listing(), names);
  EXPECT_EQ(get(path("run/last.safetensors")), last);
  EXPECT_EQ(get(path("run/metrics.jsonl")), lines);
}

TEST_F(ResumeTest, OverwriteStartsAnew) {
  Config config = small_config();
  run_training(config);
  config.training.num_epochs = 1;
  const TrainReport report = run_training(config, "", true);
  EXPECT_EQ(report.steps, 5u);
  EXPECT_EQ(metrics().size(), 1u);
}

TEST_F(ResumeTest, OverwriteLeavesNothingToResumeTheOldRunFrom) {
  Config config = small_config();
  run_training(config);
  std::filesystem::copy(path("run/last.safetensors"), path("run/step_999.safetensors"));
  config.training.learning_rate = 1e30;  // ends before it has saved more than its start
  EXPECT_THROW(run_training(config, "", true), Error);
  EXPECT_EQ(load_model(path("run/last.safetensors"), {}).step, 0u);
  for (const char* name : {"best.safetensors", "step_999.safetensors"})
    EXPECT_FALSE(exists(std::string("run/") + name)) << name;
}

TEST_F(ResumeTest, DamagedLastFallsBackToTheBestWithAWarning) {
  Config config = small_config();
  run_training(config);
  const uint64_t best = load_model(path("run/best.safetensors"), {}).epoch;
  damage(path("run/last.safetensors"));
  ::testing::internal::CaptureStderr();
  run_training(config, "auto");
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("warning: skipped a checkpoint: "),
            std::string::npos);
  EXPECT_GT(best, 0u);
  expect_same_bits(path("run/last.safetensors"), straight(config));
}

TEST_F(ResumeTest, RunWithoutAWholeCheckpointIsNotStartedAnew) {
  const Config config = small_config();
  run_training(config);
  damage(path("run/last.safetensors"));
  damage(path("run/best.safetensors"));
  ::testing::internal::CaptureStderr();
  expect_error(ErrorKind::Data, "none of its checkpoints is whole",
               [&] { run_training(config, "auto"); });
  ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(metrics().size(), 4u);
}

TEST_F(ResumeTest, AFileOrFolderElsewhereCanBeGoneOnFrom) {
  Config config = small_config("first");
  config.training.num_epochs = 2;
  run_training(config);
  config.training.num_epochs = 4;
  const std::string expected = straight(config);
  for (const std::string from : {"first", "first/last.safetensors"}) {
    config.training.checkpoint_dir = path("from_" + from.substr(5, 5));
    run_training(config, path(from));
    expect_same_bits(config.training.checkpoint_dir + "/last.safetensors", expected);
  }
}

TEST_F(ResumeTest, AFileElsewhereDoesNotReplaceAnotherRun) {
  Config config = small_config("first");
  run_training(config);
  config.training.checkpoint_dir = path("second");
  run_training(config);
  expect_error(ErrorKind::Usage, "already holds another run",
               [&] { run_training(config, path("first/last.safetensors")); });
}

TEST_F(ResumeTest, MissingCheckpointIsNamed) {
  expect_error(ErrorKind::Data, "none.safetensors: no such checkpoint",
               [&] { run_training(small_config(), path("none.safetensors")); });
}

struct Change {
  const char* key;
  void (*change)(Config&);
};

class ChangedConfigTest : public ResumeTest, public ::testing::WithParamInterface<Change> {};

TEST_P(ChangedConfigTest, IsRefusedByName) {
  Config config = small_config();
  config.training.num_epochs = 1;
  run_training(config);
  const auto before = tensors_of(path("run/last.safetensors"));
  GetParam().change(config);
  expect_error(ErrorKind::Config, GetParam().key, [&] { run_training(config, "auto"); });
  EXPECT_EQ(tensors_of(path("run/last.safetensors")), before);
}
INSTANTIATE_TEST_SUITE_P(
    Keys, ChangedConfigTest,
    ::testing::Values(
        Change{"model.embedding_dim", [](Config& c) { c.model.embedding_dim = 5; }},
        Change{"model.encoder_sizes",
               [](Config& c) {
                 c.model.encoder_sizes = {16, 8};
               }},
        Change{"model.activation", [](Config& c) { c.model.activation = "tanh"; }},
        Change{"quantizer.kind", [](Config& c) { c.quantizer.kind = "gradient"; }},
        Change{"quantizer.codebook_size", [](Config& c) { c.quantizer.codebook_size = 17; }},
        Change{"loss terms", [](Config& c) { c.quantizer.commitment_weight = 0; }},
        Change{"training.batch_size", [](Config& c) { c.training.batch_size = 32; }},
        Change{"training.seed", [](Config& c) { c.training.seed = 1; }},
        Change{"data.validation_fraction", [](Config& c) { c.data.validation_fraction = 0.5; }},
        Change{"data.normalization", [](Config& c) { c.data.normalization = "standard"; }}),
    [](const auto& info) {
      std::string name = info.param.key;
      for (char& c : name)
        if (c == '.' || c == ' ') c = '_';
      return name;
    });

TEST_F(ResumeTest, OtherDataAreRefused) {
  Config config = small_config();
  config.training.num_epochs = 1;
  run_training(config);
  write_npy(config.data.path, planted_rows(800));
  expect_error(ErrorKind::Config, "these data make 12 steps",
               [&] { run_training(config, "auto"); });
}

TEST_F(ResumeTest, OtherDataUnderStandardNormalizationAreRefused) {
  Config config = small_config();
  config.data.normalization = "standard";
  config.training.num_epochs = 1;
  run_training(config);
  write_npy(config.data.path, planted_rows(300, 1));
  expect_error(ErrorKind::Config, "their normalization is another",
               [&] { run_training(config, "auto"); });
}

TEST_F(ResumeTest, LeftoversOfAKilledProcessAreRemoved) {
  Config config = small_config();
  config.training.num_epochs = 1;
  run_training(config);
  put("run/last.safetensors.tmp.4711", to_bytes("half"));
  put("run/events.out.tfevents.1.host.2.0.tmp.4711", to_bytes("half"));
  std::ofstream(path("run/metrics.jsonl"), std::ios::app) << R"({"epoch":2,"st)";
  config.training.num_epochs = 2;
  run_training(config, "auto");
  EXPECT_FALSE(exists("run/last.safetensors.tmp.4711"));
  EXPECT_FALSE(exists("run/events.out.tfevents.1.host.2.0.tmp.4711"));
  EXPECT_EQ(metrics().size(), 2u);
}

}  // namespace
}  // namespace tessera
