// Runs whose features are made by encoders that train with the tokenizer.
#include <regex>

#include "tessera/device.h"
#include "tessera/model_features.h"
#include "testing/numbers.h"
#include "training/encoder_fixture.h"
#include "training/open_encoded.h"
#include "training/training_step.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class EncoderTrainingTest : public EncoderRunTest {
 protected:
  std::string output_of(const Config& config) {
    Console console;
    ::testing::internal::CaptureStdout();
    train({.config = config, .resume = "", .overwrite = true}, console);
    return ::testing::internal::GetCapturedStdout();
  }
};

TEST_F(EncoderTrainingTest, LogOfALearnableHybridRunHasTheLinesOfTheSeeds) {
  Config config = learnable_config();
  config.training.num_epochs = 5;
  const std::string text = output_of(config);
  for (const char* line :
       {"  initial: 4D and grids 2 x 10 x 10 -> 10D by InitialHybridEncoder\n",
        "  temporal: series of 16 x 3 -> 8D by PyramidTemporalEncoder\n",
        "[LEARNABLE ASSIGNMENT MODE with HYBRID ENCODER]\n",
        "Creating learnable categorical VQ-VAE with end-to-end assignment learning\n",
        "Initializing assignment matrix from clustering...\n",
        "Assignment matrix initialized: PerFamilyAssignmentMatrix\n",
        "Learnable assignment training enabled:\n  Assignment LR: 0.001\n"
        "  Temperature schedule: linear\n",
        "\n  Gradient clip norm: 1.0\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << "\nis missing from\n" << text;
  const std::string number = "=-?[0-9]+\\.[0-9]{4}";
  EXPECT_TRUE(std::regex_search(
      text,
      std::regex("Epoch 5/5 \\([0-9.]+s\\): train" + number + " val" + number +
                 "\n  Components: recon" + number + " vq" + number + "[^\n]*\n {14}" +
                 "assign_orthogonality" + number + "\n {14}assign_balance" + number +
                 "\n {14}assign_total" + number + "\n  Temperature: 0.10\n  Utilization: [0-9.]+%" +
                 "\n  By length: 4" + number + " 6" + number + " 8" + number + " 11" + number +
                 " 16" + number + "\n  Encoder gradients: initial=[^ ]+ temporal=[^ ]+\n")))
      << text;
  EXPECT_NE(text.find("  Temperature: 1.00\n"), std::string::npos) << text;
}

TEST_F(EncoderTrainingTest, LossesFallAndGradientsReachTheEncoders) {
  Config config = learnable_config();
  config.training.num_epochs = 5;
  run_training(config);
  const auto epochs = metrics();
  ASSERT_EQ(epochs.size(), 5u);
  for (const char* key : {"train_total", "train_reconstruction", "validation_reconstruction"})
    EXPECT_LT(epochs.back()[key], epochs.front()[key]) << key;
  for (const auto& epoch : epochs)
    for (const char* family : {"initial", "temporal"})
      EXPECT_GT(epoch["encoder_gradient_" + std::string(family)], 0) << family;
}

TEST_F(EncoderTrainingTest, EveryTensorOfTheEncodersChangesInTraining) {
  Config config = hybrid_config();
  config.training.num_epochs = 1;
  run_training(config);
  const auto before = tensors_under("run/last.safetensors", "model/encoders/");
  config.training.num_epochs = 2;
  run_training(config, "auto");
  for (const auto& [name, bytes] : tensors_under("run/last.safetensors", "model/encoders/"))
    // The scale of the features is fitted once.
    EXPECT_EQ(bytes == before.at(name), name.starts_with("model/encoders/normalizer/")) << name;
}

TEST_F(EncoderTrainingTest, AnEncoderThatIsNotTrainableStaysAsItBegan) {
  Config config = hybrid_config();
  config.families[0].encoder_params.trainable = false;
  config.training.num_epochs = 1;
  run_training(config);
  const auto cnn = tensors_under("run/last.safetensors", "model/encoders/initial/");
  const auto pyramid = tensors_under("run/last.safetensors", "model/encoders/temporal/");
  config.training.num_epochs = 2;
  const std::string text = output_of(config);
  EXPECT_NE(text.find("by InitialHybridEncoder (not trained)\n"), std::string::npos) << text;
  EXPECT_EQ(text.find("gradients: initial="), std::string::npos) << text;
  EXPECT_EQ(tensors_under("run/last.safetensors", "model/encoders/initial/"), cnn);
  EXPECT_NE(tensors_under("run/last.safetensors", "model/encoders/temporal/"), pyramid);
}

TEST_F(EncoderTrainingTest, ResumedInsideAnEpochItEndsWithTheSameBits) {
  Config config = learnable_config("straight");
  config.training.checkpoint_every_steps = 3;  // 3 and 6 of two epochs of 4 steps
  config.training.keep_last = 100;
  config.training.num_epochs = 2;
  run_training(config);
  for (const std::string step : {"step_3", "step_6"}) {
    config.training.checkpoint_dir = path(step);
    run_training(config, path("straight/" + step + ".safetensors"));
    expect_same_bits(path(step + "/last.safetensors"), path("straight/last.safetensors"));
  }
}

TEST_F(EncoderTrainingTest, RaisedEpochsContinueToTheBitsOfAStraightRun) {
  Config config = hybrid_config();
  config.quantizer.dead_code.policy = "adaptive";
  config.training.num_epochs = 1;
  run_training(config);
  config.training.num_epochs = 3;
  run_training(config, "auto");
  config.training.checkpoint_dir = path("straight");
  run_training(config);
  expect_same_bits(path("run/last.safetensors"), path("straight/last.safetensors"));
}

TEST_F(EncoderTrainingTest, ThreadsDoNotChangeCategoriesOrBits) {
  const int before = threads();
  for (const int count : {1, 2}) {
    set_threads(count);
    run_training(learnable_config("threads_" + std::to_string(count)));
  }
  set_threads(before);
  expect_same_bits(path("threads_2/last.safetensors"), path("threads_1/last.safetensors"));
  const TrainedModel one = load_model(path("threads_1"), {}),
                     two = load_model(path("threads_2"), {});
  EXPECT_EQ(names_json(two.features), names_json(one.features));
  EXPECT_EQ(categories_json(two.features), categories_json(one.features));
  EXPECT_EQ(preparation_json(two.features), preparation_json(one.features));
}

TEST_F(EncoderTrainingTest, AnEarlierRunsCnnIsLoaded) {
  Config config = hybrid_config("first");
  config.training.num_epochs = 1;
  run_training(config);
  config.families[0].encoder_params.pretrained_cnn_path = path("first/last.safetensors");
  config.families[0].encoder_params.trainable = false;
  config.training.seed = 1;
  config.training.checkpoint_dir = path("second");
  run_training(config);
  EXPECT_EQ(tensors_under("second/last.safetensors", "model/encoders/initial/"),
            tensors_under("first/last.safetensors", "model/encoders/initial/"));
  EXPECT_NE(tensors_under("second/last.safetensors", "model/encoders/temporal/"),
            tensors_under("first/last.safetensors", "model/encoders/temporal/"));
}

TEST_F(EncoderTrainingTest, ACnnOfAnotherShapeIsRefused) {
  Config config = hybrid_config("first");
  config.training.num_epochs = 1;
  run_training(config);
  config.training.checkpoint_dir = path("second");
  EncoderParams& params = config.families[0].encoder_params;
  params.pretrained_cnn_path = path("first/last.safetensors");
  params.embedding_dim = 7;
  expect_error(ErrorKind::Config, "; embedding_dim and the channels", [&] { run_training(config); });
}

TEST_F(EncoderTrainingTest, ACheckpointWithoutACnnIsRefused) {
  run_training(small_config("dense"));
  Config config = hybrid_config();
  EncoderParams& params = config.families[0].encoder_params;
  params.pretrained_cnn_path = path("dense/last.safetensors");
  expect_error(ErrorKind::Config, "pretrained_cnn_path", [&] { run_training(config); });
  params.pretrained_cnn_path = path("nowhere.safetensors");
  expect_error(ErrorKind::Config, "pretrained_cnn_path: ", [&] { run_training(config); });
  EXPECT_FALSE(exists("run/last.safetensors"));
}

TEST_F(EncoderTrainingTest, BatchesOfOneRowAreRefusedAndALastOneLeftOut) {
  Config config = hybrid_config();
  config.training.batch_size = 1;
  expect_error(ErrorKind::Config, "training.batch_size is 1", [&] { run_training(config); });
  config.training.batch_size = 8;
  EXPECT_EQ(steps_per_epoch(config, 17), 2);
  EXPECT_EQ(steps_per_epoch(config, 18), 3);
  EXPECT_EQ(steps_per_epoch(config, 1), 1);
}

TEST_F(EncoderTrainingTest, SeriesShorterThanAnyLengthAreRefused) {
  Config config = hybrid_config();
  VariableLengthParams& lengths = config.families[1].encoder_params.variable_length;
  lengths = {.enabled = true, .min_timesteps = 17, .max_timesteps = 40};
  expect_error(ErrorKind::Config, "min_timesteps is 17, the series have 16 steps",
               [&] { run_training(config); });
}

TEST_F(EncoderTrainingTest, ExcludedFeaturesOfSeriesAreNotReadAndOthersAreFoundByName) {
  Config config = hybrid_config();
  config.data.exclude_features = {"temporal/s1", "initial/d"};
  config.training.num_epochs = 1;
  run_training(config);
  const TrainedModel model = load_model(path("run"), {});
  const std::vector<EncodedFamilyInput>& families = model.features.inputs.families;
  EXPECT_EQ(families[0].shape.column_names, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(families[1].shape.series_names, (std::vector<std::string>{"s0", "s2"}));
  // A set with its features in another order gives the same rows.
  write_raw("turned", {.series_features = {"s2", "s1", "s0"}});
  HostArray turned = read_npy(path("set/features/temporal.npy"));
  auto* values = reinterpret_cast<float*>(turned.bytes.data());
  for (int64_t at = 0; at < turned.size(); at += 3) std::swap(values[at], values[at + 2]);
  write_npy(path("turned/features/temporal.npy"), turned);
  const std::vector<int32_t> rows = {0, 7, 31};
  const auto encode = [&](const std::string& set) {
    return open_encoded_rows(model, path(set), {}, Unfilled::Drop)
        .outputs(*model.model->encoders(), rows);
  };
  EXPECT_EQ(encode("turned"), encode("set"));
  config.data.exclude_features = {"temporal/s9"};
  config.training.checkpoint_dir = path("other");
  expect_error(ErrorKind::Config, "\"temporal/s9\" fits none of the 7 features",
               [&] { run_training(config); });
}

TEST_F(EncoderTrainingTest, AFamilyThatCleaningEmptiesIsNamedWithItsReason) {
  const std::string file = write_raw("flat") + "/features/initial.npy";
  HostArray columns = read_npy(file);
  std::fill(columns.bytes.begin(), columns.bytes.end(), std::byte{1});
  write_npy(file, columns);
  write_npy(path("flat/features/other.npy"),
            HostArray::from_values<float>({60, 2}, uniform<float>(120, 1)));
  Config config = hybrid_config();
  config.data.path = path("flat");
  config.families.push_back({.name = "other"});
  expect_error(ErrorKind::Data, "family initial: none of its 4 columns is left (initial/a: ",
               [&] { run_training(config); });
}

// Statistics are averaged before values are loaded, so an encoder beside the loaded one has its own.
TEST_F(EncoderTrainingTest, APretrainedCnnLeavesOtherEncodersAsTheyBegin) {
  Config config = hybrid_config("first");
  config.training.num_epochs = 1;
  run_training(config);
  const double alone = metrics("first").back()["train_reconstruction"];
  config.training.checkpoint_dir = path("second");
  config.families[0].encoder_params.pretrained_cnn_path = path("first");
  run_training(config);
  EXPECT_LT(metrics("second").back()["train_reconstruction"].get<double>(), 2 * alone);
}

TEST_F(EncoderTrainingTest, AnMlpOnColumnsTrains) {
  Config config = hybrid_config();
  config.families = {{.name = "initial",
                      .encoder = "MLPEncoder",
                      .encoder_params = {.hidden_dims = {8}, .output_dim = 6}}};
  config.categories.per_family = false;
  config.categories.num_categories = 2;
  config.training.num_epochs = 1;
  run_training(config);
  const auto mlp = tensors_under("run/last.safetensors", "model/encoders/initial/mlp/");
  config.training.num_epochs = 5;
  run_training(config, "auto");
  for (const auto& [name, bytes] : tensors_under("run/last.safetensors", "model/encoders/initial/"))
    EXPECT_NE(bytes, mlp.at(name)) << name;
  EXPECT_LT(metrics().back()["train_reconstruction"], metrics().front()["train_reconstruction"]);
  EXPECT_EQ(load_model(path("run"), {}).features.names.size(), 6u);
}

}  // namespace
}  // namespace tessera
