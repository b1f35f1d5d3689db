// The dense VQ-VAE trained through the CUDA launchers: on the emulator in everyday tests, on a GPU where
// there is one.

#include "tessera/models/dense_vq_vae.h"
#include "testing/backends.h"
#include "training/run_fixture.h"
#include "training/schedule.h"
#include "training/training_step.h"

namespace tessera {
namespace {

constexpr int64_t kDataRows = 100, kBatch = 32;  // four steps an epoch, the last of 4 rows

struct Kind {
  const char *quantizer, *estimator;
};

/// A small model in training, as the trainer sets it up.
struct DenseTraining {
  Config config;
  Dataset data;
  Buffer<int32_t> rows;
  DenseVqVae model;
  TrainingState state;
  TrainingStep step;

  static Config config_of(const Kind& kind) {
    Config config;
    config.model.input_size = testing::kFeatures;
    config.model.encoder_sizes = config.model.decoder_sizes = {17};
    config.model.embedding_dim = 6;
    config.quantizer.codebook_size = 16;
    config.quantizer.kind = kind.quantizer;
    config.quantizer.estimator = kind.estimator;
    config.quantizer.dead_code.interval = 5;
    config.training.batch_size = kBatch;
    config.training.gradient_clip_norm = 1;
    config.training.learning_rate = 5e-3;
    return config;
  }

  DenseTraining(const Kind& kind, Device device)
      : config(config_of(kind)),
        data(to_rows(testing::planted_rows(kDataRows), "planted rows"), {}, device),
        rows(Buffer<int32_t>::from_host(split_rows(kDataRows, 0, 0).train, device)),
        model({.input_size = config.model.input_size,
               .encoder_sizes = config.model.encoder_sizes,
               .decoder_sizes = config.model.decoder_sizes,
               .embedding_dim = config.model.embedding_dim,
               .codebook_size = config.quantizer.codebook_size},
              quantizer_options(config), device),
        state(3, (kDataRows + kBatch - 1) / kBatch, static_cast<int>(training_losses(config).size()),
              device),
        step({model, state, data.source(), rows, config}) {
    state.write_schedule(schedule_rows(config.training, 0, step.steps_per_epoch()));
    model.quantizer().initialize(model.encode({}, Var(data.rows_at(0, kDataRows))).value());
  }

  /// Runs `count` steps; an epoch ends as in the trainer.
  void run(int count, bool captured) {
    for (int i = 0; i < count; ++i) {
      const int64_t at = i % step.steps_per_epoch();
      if (at == 0) {
        StepState now = state.read();
        now.epoch = static_cast<uint64_t>(i / step.steps_per_epoch());
        now.step_in_epoch = 0;
        state.write(now);
      }
      if (captured)
        step.run(at);
      else
        step.run_eagerly(at);
    }
  }
  std::vector<std::vector<float>> values() {
    std::vector<std::vector<float>> all;
    for (const NamedTensor& named : model.tensors()) all.push_back(named.tensor.to_host());
    return all;
  }
};

class DenseTrainingContractTest : public testing::BackendTest {};
TESSERA_FOR_EACH_BACKEND(DenseTrainingContractTest);

TEST_P(DenseTrainingContractTest, FiftyCapturedStepsHaveTheBitsOfEagerOnes) {
  for (const Kind& kind : {Kind{"ema", "straight_through"}, Kind{"gradient", "rotation"}}) {
    DenseTraining captured(kind, device()), eager(kind, device());
    captured.run(50, true);
    eager.run(50, false);
    EXPECT_EQ(captured.values(), eager.values()) << kind.quantizer;
    EXPECT_EQ(captured.state.read_sums(), eager.state.read_sums()) << kind.quantizer;
    EXPECT_EQ(captured.state.read().step, 50u);
    EXPECT_EQ(captured.model.quantizer().resets(), eager.model.quantizer().resets());
  }
}

TEST_P(DenseTrainingContractTest, AfterWarmUpAStepOnlyLaunches) {
  DenseTraining training({"ema", "straight_through"}, device());
  training.run(2, false);
  const StepCounts counts = training.step.run_eagerly(0);
  EXPECT_EQ(counts.persistent_allocations, 0);
  EXPECT_EQ(counts.synchronizations, 0);
  EXPECT_EQ(counts.launched, training.step.counts().launched);
  RecordProperty("launches", static_cast<int>(counts.launches()));
  std::printf("dense step on %s: %d launches, %d step tensors, 0 allocations, 0 waits\n",
              to_string(device()).c_str(), static_cast<int>(counts.launches()),
              static_cast<int>(counts.step_allocations));
}

/// The loss after training; the recorded terms are sums over rows.
double loss_after(int steps, const Kind& kind, Device device) {
  DenseTraining training(kind, device);
  training.run(steps, true);
  return training.state.read_sums()[0] / static_cast<double>(steps * kDataRows / 4);
}

TEST_P(DenseTrainingContractTest, AgreesWithTheCpu) {
  // Ten steps: sums are taken in other orders, and rounding has not yet moved a code.
  DenseTraining here({"ema", "rotation"}, device()), cpu({"ema", "rotation"}, Device{});
  here.run(10, true);
  cpu.run(10, true);
  const auto found = here.values(), expected = cpu.values();
  for (size_t t = 0; t < expected.size(); ++t)
    for (size_t i = 0; i < expected[t].size(); ++i)
      ASSERT_NEAR(found[t][i], expected[t][i], 2e-3f) << "tensor " << t << ", element " << i;
  EXPECT_NEAR(here.state.read_sums()[0], cpu.state.read_sums()[0], 1e-4 * cpu.state.read_sums()[0]);
}

TEST_P(DenseTrainingContractTest, LossFalls) {
  const Kind kind{"ema", "straight_through"};
  EXPECT_LT(loss_after(80, kind, device()), 0.7 * loss_after(4, kind, device()));
}

class WholeRunContractTest : public testing::RunTest {
 protected:
  bool usable() {
    for (const DeviceInfo& info : list_devices())
      if (info.device.type == DeviceType::Cuda && info.usable) return true;
    return false;
  }
};

TEST_F(WholeRunContractTest, ResumesOnCudaToTheSameBits) {
  if (!usable()) GTEST_SKIP() << "no CUDA device";
  Config whole = small_config("whole"), half = small_config("half");
  for (Config* config : {&whole, &half}) config->training.device = "cuda";
  run_training(whole);
  half.training.num_epochs = 2;
  run_training(half);
  half.training.num_epochs = 4;
  run_training(half, "auto");
  testing::expect_same_bits(path("half/last.safetensors"), path("whole/last.safetensors"));
}

}  // namespace
}  // namespace tessera
