// The configs at the paths that the reference's documents name, with the values they state.

#include <gtest/gtest.h>

#include "tessera/config.h"
#include "testing/places.h"

namespace tessera {
namespace {

using Sizes = std::vector<int64_t>;

TEST(ReferenceConfigsTest, BaselineHasTheDocumentedValues) {
  const Config config = load_config(testing::shipped_config("vqvae/baseline_vqvae_variable_length.yaml"));
  ASSERT_EQ(config.families.size(), 2u);
  EXPECT_EQ(config.families[0].encoder, "InitialHybridEncoder");
  EXPECT_EQ(config.families[0].encoder_params.embedding_dim, 128);
  EXPECT_FALSE(config.families[0].encoder_params.encode_manual);  // the 14 stay as they are
  EXPECT_TRUE(config.families[0].encoder_params.use_final_batchnorm);
  EXPECT_EQ(config.families[1].encoder, "PyramidTemporalEncoder");
  EXPECT_EQ(config.families[1].encoder_params.level_dims, (Sizes{32, 64, 96, 128}));
  EXPECT_EQ(config.families[1].encoder_params.downsample_factors, (Sizes{1, 2, 4, 8}));
  const VariableLengthParams& length = config.families[1].encoder_params.variable_length;
  EXPECT_TRUE(length.enabled);
  EXPECT_EQ(length.min_timesteps, 16);
  EXPECT_EQ(length.max_timesteps, 256);
  EXPECT_EQ(length.length_bins, (Sizes{16, 32, 64, 128, 256}));
  EXPECT_EQ(config.model.category_embedding_dim, 512);
  EXPECT_EQ(config.model.category_hidden_dim, 2048);
  EXPECT_EQ(config.model.compression_ratios, "auto");
  EXPECT_TRUE(config.model.uniform_codebooks);
  EXPECT_EQ(config.model.dropout, 0.3);
  EXPECT_EQ(config.quantizer.commitment_weight, 0.2);
  EXPECT_EQ(config.quantizer.dead_code.policy, "none");
  EXPECT_EQ(config.losses.codebook_orthogonality, 0.11);
  EXPECT_EQ(config.losses.informativeness, 0.3);
  EXPECT_EQ(config.losses.topographic, 0.3);
  EXPECT_EQ(config.losses.topographic_samples, 2048);
  EXPECT_EQ(config.losses.entropy, 0.1);
  EXPECT_EQ(config.categories.k_selection, "silhouette");
  EXPECT_EQ(config.training.category_assignment, "auto");
  EXPECT_EQ(config.training.batch_size, 1024);
  EXPECT_EQ(config.training.learning_rate, 1e-3);
  EXPECT_EQ(config.training.num_epochs, 100);
  EXPECT_EQ(config.training.early_stopping, (EarlyStoppingConfig{30, 0.01}));
}

TEST(ReferenceConfigsTest, LearnableHybridChangesTheDocumentedKeysAlone) {
  EXPECT_EQ(changes_from_base(testing::shipped_config("vqvae/learnable_hybrid_variable_length.yaml")),
            (std::vector<std::string>{
                "training.category_assignment: auto -> learnable",
                "training.checkpoint_dir: runs/baseline_vqvae_variable_length -> "
                "runs/learnable_hybrid_variable_length",
                "learnable_assignment.temperature_schedule: exponential -> linear",
                "learnable_assignment.temperature_hold: 0.6 -> 0",
                "learnable_assignment.assignment_lr: 0.02 -> 0.001"}));
}

void expect_documented_assignment(const LearnableAssignmentConfig& assignment) {
  EXPECT_EQ(assignment.temperature_start, 1.0);
  EXPECT_EQ(assignment.temperature_end, 0.1);
  EXPECT_EQ(assignment.temperature_schedule, "linear");
  EXPECT_EQ(assignment.orthogonality_weight, 0.1);
  EXPECT_EQ(assignment.balance_weight, 0.05);
  EXPECT_EQ(assignment.assignment_lr, 0.001);
  EXPECT_EQ(assignment.gradient_clip_norm, 1.0);
}

TEST(ReferenceConfigsTest, LearnableConfigsHaveTheDocumentedAssignment) {
  for (const char* name : {"learnable_hybrid_variable_length", "learnable_simple_test"}) {
    SCOPED_TRACE(name);
    const Config config = load_config(testing::shipped_config(std::string("vqvae/") + name + ".yaml"));
    EXPECT_TRUE(learns_categories(config));
    expect_documented_assignment(config.learnable_assignment);
  }
}

TEST(ReferenceConfigsTest, SimpleTestHasTheDocumentedValues) {
  const Config config = load_config(testing::shipped_config("vqvae/learnable_simple_test.yaml"));
  ASSERT_EQ(config.families.size(), 2u);
  EXPECT_EQ(config.families[0].encoder, "identity");
  EXPECT_EQ(config.families[1].encoder, "PyramidTemporalEncoder");
  EXPECT_FALSE(config.families[1].encoder_params.variable_length.enabled);
  EXPECT_EQ(config.model.category_embedding_dim, 512);
  EXPECT_EQ(config.model.category_hidden_dim, 1024);
  EXPECT_EQ(config.model.compression_ratios, "0.5:1:1.5");
  EXPECT_EQ(config.model.dropout, 0.1);
  EXPECT_EQ(config.quantizer.commitment_weight, 0.25);
  EXPECT_EQ(config.losses.topographic_samples, 64);
  EXPECT_EQ(config.training.num_epochs, 50);
  EXPECT_EQ(config.training.batch_size, 512);
  EXPECT_EQ(config.training.early_stopping.patience, 200);
}

TEST(ReferenceConfigsTest, ProductionHasTheDocumentedValues) {
  const Config config = load_config(testing::shipped_config("tokenizer_production.yaml"));
  ASSERT_EQ(config.families.size(), 3u);
  EXPECT_EQ(config.families[0].encoder, "InitialHybridEncoder");
  EXPECT_EQ(config.families[0].encoder_params.embedding_dim, 28);
  EXPECT_EQ(config.families[1].encoder, "MLPEncoder");
  EXPECT_EQ(config.families[1].encoder_params.hidden_dims, (Sizes{512, 256}));
  EXPECT_EQ(config.families[1].encoder_params.output_dim, 128);
  EXPECT_EQ(config.families[2].encoder, "TemporalCNNEncoder");
  EXPECT_EQ(config.families[2].encoder_params.embedding_dim, 128);
  EXPECT_EQ(config.model.category_embedding_dim, 256);
  EXPECT_EQ(config.model.category_hidden_dim, 512);
  EXPECT_EQ(config.quantizer.commitment_weight, 0.35);
  EXPECT_EQ(config.losses.topographic, 0.3);
  EXPECT_EQ(config.losses.topographic_samples, 1024);
  EXPECT_EQ(config.categories.max_categories, 25);
  EXPECT_EQ(config.training.num_epochs, 550);
  EXPECT_EQ(config.training.batch_size, 1024);
  EXPECT_EQ(config.training.early_stopping.patience, 100);
}

}  // namespace
}  // namespace tessera
