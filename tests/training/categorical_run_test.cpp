// The life of a run whose model has categories: what the dense runs of the other tests do not show.
#include <regex>

#include "training/run_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class CategoricalRunTest : public RunTest {
 protected:
  /// 300 rows of named features in two categories; five steps an epoch.
  Config categorical_config() {
    Config config = small_config();
    std::filesystem::create_directories(path("data/features"));
    write_npy(path("data/features/initial.npy"), planted_rows(300));
    config.data.path = path("data");
    config.model = {.kind = "categorical"};
    config.model.category_embedding_dim = config.model.category_hidden_dim = 8;
    config.model.decoder.hidden_dim = config.model.decoder.partial_hidden_dim = 8;
    config.model.levels = {{"*", {{4, 64}, {4, 32}}}};
    config.quantizer.codebook_size = QuantizerConfig().codebook_size;
    config.categories.num_categories = 2;
    config.categories.min_features = 2;
    return config;
  }
  std::string output_of(const Config& config) {
    Console console;
    ::testing::internal::CaptureStdout();
    train({.config = config, .resume = "", .overwrite = true}, console);
    return ::testing::internal::GetCapturedStdout();
  }
};

TEST_F(CategoricalRunTest, EpochBlockNamesEveryTermThatIsOn) {
  Config config = categorical_config();
  config.losses.entropy = 0.01;
  config.training.num_epochs = 1;
  const std::string text = output_of(config), number = "=-?[0-9]+\\.[0-9]{4}";
  EXPECT_TRUE(std::regex_search(
      text, std::regex("\n  Components: recon" + number + " vq" + number + " ortho" + number +
                       " info" + number + " topo" + number + " entropy" + number + "\n")))
      << text;
}

TEST_F(CategoricalRunTest, UtilizationIsTheMeanOverCodebooks) {
  Config config = categorical_config();
  config.training.num_epochs = 1;
  run_training(config);
  const SafetensorsFile file(path("run/last.safetensors"));
  const HostArray usage = file.read("quantizer/usage"), table = file.read("quantizer/table");
  ASSERT_EQ(table.shape, (std::vector<int64_t>{4, 4}));
  const std::span<const int64_t> rows = usage.values<int64_t>();
  double sum = 0;
  size_t first = 0;
  for (int q = 0; q < 4; ++q) {
    const auto size = static_cast<size_t>(table.values<int64_t>()[4 * q + 1]);
    const auto codes = rows.subspan(first, size);
    first += size;
    sum += static_cast<double>(std::ranges::count_if(codes, [](int64_t n) { return n > 0; })) /
           static_cast<double>(size);
  }
  EXPECT_EQ(first, rows.size());
  EXPECT_DOUBLE_EQ(metrics()[0]["utilization"].get<double>(), sum / 4);
}

TEST_F(CategoricalRunTest, AdaptivePolicyAndDropoutContinueToTheSameBits) {
  Config config = categorical_config();
  config.model.levels = {{"*", {{4, 512}, {4, 256}}}};  // of which 300 rows use few
  config.quantizer.codebook_init = "uniform";
  config.losses.codebook_orthogonality = 0;  // most of the time, with so many codes
  config.quantizer.ema_decay = 0.9;          // so that unused codes are dead after 25 epochs
  config.quantizer.dead_code.policy = "adaptive";
  config.training.num_epochs = 27;
  config.training.checkpoint_dir = path("straight");
  const std::string text = output_of(config);
  EXPECT_TRUE(std::regex_search(
      text, std::regex("  \\[DeadCodeReset\\] Epoch 25: Reset [0-9]+ dead codes "
                       "\\(category emergency: cluster_[12] uses [0-9.]+% of its codes, below ")))
      << text;
  config.training.checkpoint_dir = path("run");
  config.training.num_epochs = 25;
  run_training(config);
  config.training.num_epochs = 27;
  run_training(config, "auto");
  expect_same_bits(path("run/last.safetensors"), path("straight/last.safetensors"));
}

}  // namespace
}  // namespace tessera
