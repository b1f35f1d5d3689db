// The tokenizer configs say what their figures are quoted for.

#include <gtest/gtest.h>

#include "tessera/config.h"
#include "testing/places.h"

namespace tessera {
namespace {

std::string shipped(const std::string& name) {
  return std::string(testing::kSourceDir) + "/configs/" + name;
}

TEST(ShippedTokenizersTest, BaselineHasTheNumbersOfTheValidatedRun) {
  const Config config = load_config(shipped("tokenizer_baseline.yaml"));
  EXPECT_EQ(config.data.max_samples, 10000);
  EXPECT_EQ(config.model.category_embedding_dim, 256);
  EXPECT_EQ(config.model.category_hidden_dim, 128);
  EXPECT_EQ(config.model.compression_ratios, "0.5:1:1.5");
  EXPECT_EQ(config.quantizer.commitment_weight, 0.45);
  EXPECT_EQ(config.losses.topographic, 0.02);
  EXPECT_EQ(config.losses.topographic_samples, 64);
  EXPECT_EQ(config.training.batch_size, 512);
  EXPECT_EQ(config.training.learning_rate, 7e-4);
  EXPECT_EQ(config.training.num_epochs, 100);
}

TEST(ShippedTokenizersTest, QualityDiffersFromTheBaselineInOneKey) {
  Config expected = load_config(shipped("tokenizer_baseline.yaml"));
  Config quality = load_config(shipped("tokenizer_quality.yaml"));
  expected.training.checkpoint_dir = quality.training.checkpoint_dir;  // named after the config
  EXPECT_EQ(config_changes(expected, quality),
            (std::vector<std::string>{"losses.topographic: 0.02 -> 1"}));
}

}  // namespace
}  // namespace tessera
