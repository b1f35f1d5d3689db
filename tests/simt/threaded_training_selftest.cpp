// A whole training on the CPU, large enough that its kernels share their work between threads: what
// ThreadSanitizer watches in the mode tsan-cpu.

#include "training/run_fixture.h"

namespace tessera {
namespace {

class ThreadedTrainingTest : public testing::RunTest {
 protected:
  void TearDown() override { set_threads(before_); }

  /// Trains one epoch of three steps, the last with fewer rows.
  void train_with(int threads, const std::string& run) {
    Config config = small_config(run);
    write_npy(path("rows.npy"), testing::planted_rows(1100));
    config.model.encoder_sizes = config.model.decoder_sizes = {192, 192};
    config.quantizer.dead_code.interval = 2;
    config.training.batch_size = 400;
    config.training.num_epochs = 1;
    config.training.gradient_clip_norm = 1;
    set_threads(threads);
    run_training(config);
  }

  const int before_ = threads();
};

TEST_F(ThreadedTrainingTest, ThreeThreadsGiveTheBitsOfOne) {
  train_with(1, "one");
  train_with(3, "three");
  testing::expect_same_bits(path("three/last.safetensors"), path("one/last.safetensors"));
}

}  // namespace
}  // namespace tessera
