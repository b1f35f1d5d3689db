// The tokenizer configs say what their figures are quoted for.

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "../bench/tokenizer_models.h"
#include "tessera/config.h"
#include "tessera/model_features.h"
#include "testing/places.h"

namespace tessera {
namespace {

TEST(ShippedTokenizersTest, BaselineHasTheNumbersOfTheValidatedRun) {
  const Config config = load_config(testing::shipped_config("tokenizer_baseline.yaml"));
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
  Config expected = load_config(testing::shipped_config("tokenizer_baseline.yaml"));
  Config quality = load_config(testing::shipped_config("tokenizer_quality.yaml"));
  expected.training.checkpoint_dir = quality.training.checkpoint_dir;  // named after the config
  EXPECT_EQ(config_changes(expected, quality),
            (std::vector<std::string>{"losses.topographic: 0.02 -> 1"}));
}

/// A shape of the bench and its config are one model.
void expect_shape(const bench::TokenizerShape& shape, const std::string& name) {
  const Config config = load_config(testing::shipped_config("bench_" + name + ".yaml"));
  const auto mapping = nlohmann::ordered_json::parse(
      std::ifstream(testing::shipped_config("bench_" + name + "_categories.json")));
  ModelFeatures features;
  for (const auto& [category, columns] : mapping.items()) {
    features.categories.push_back({category, static_cast<int64_t>(columns.size())});
    for (const auto& column : columns) features.names.push_back(std::to_string(column.get<int>()));
  }
  const std::vector<CategoryLevels> levels = resolve_levels(config.model, features, {}, {});
  ASSERT_EQ(levels.size(), shape.options.categories.size());
  for (size_t k = 0; k < levels.size(); ++k) {
    EXPECT_EQ(features.categories[k].features, shape.options.categories[k].features) << k;
    EXPECT_EQ(levels[k].levels, shape.options.categories[k].levels) << k;
  }
  EXPECT_EQ(config.model.category_embedding_dim, shape.options.embedding_dim);
  EXPECT_EQ(config.model.category_hidden_dim, shape.options.hidden_dim);
  EXPECT_EQ(config.model.decoder.hidden_dim, shape.options.decoder_hidden);
  EXPECT_EQ(config.model.decoder.partial_hidden_dim, shape.options.partial_hidden);
  EXPECT_EQ(config.model.dropout, shape.options.dropout);
  EXPECT_EQ(config.losses.topographic_samples, shape.options.topographic_samples);
  EXPECT_EQ(config.training.batch_size, shape.batch);
}

TEST(ShippedTokenizersTest, BenchConfigsAreTheModelsOfTheBench) {
  expect_shape(bench::shape_p(), "p");
  expect_shape(bench::shape_s(), "s");
}

}  // namespace
}  // namespace tessera
