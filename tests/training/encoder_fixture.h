#pragma once

#include <cmath>

#include "tessera/feature_data.h"
#include "training/run_fixture.h"

namespace tessera::testing {

/// What differs between data sets of a test.
struct RawSet {
  int64_t rows = 60;
  int64_t side = 10;  ///< of the grids
  std::vector<std::string> series_features = {"s0", "s1", "s2"};
  uint64_t seed = 5;
};

/// Trains tokenizers whose features encoders make of raw grids and series.
class EncoderRunTest : public RunTest {
 protected:
  static constexpr int32_t kSteps = 16;

  /// A folder of samples, each with two numbers u and v in [-1, 1]. `initial` has four columns of them;
  /// grids are u and v times waves along x and y; series u sin(t / 2), v cos(t / 3), u v, over 4, 8, 12 or
  /// 16 steps; noise of +- 0.1 on all.
  std::string write_raw(const std::string& name, const RawSet& set = {}) const {
    FeatureLayout layout;
    layout.rows = set.rows;
    layout.families = {{"initial", 0, {"a", "b", "c", "d"}},
                       {"temporal", kSteps, set.series_features}};
    layout.input_shape = {2, set.side, set.side};
    layout.has_lengths = true;
    FeatureBlock block;
    block.rows = set.rows;
    block.families.resize(2);
    for (int64_t n = 0; n < set.rows; ++n) add_sample(block, set, n);
    const auto writer = create_features(path(name), layout);
    writer->append(block);
    writer->commit();
    return path(name);
  }

  /// A CNN beside the columns and a pyramid over series of varying length, on 54 rows in 4 steps.
  Config hybrid_config(const std::string& run = "run") {
    if (!exists("set")) write_raw("set");
    Config config;
    config.data.path = path("set");
    config.model.kind = "categorical";
    config.model.category_embedding_dim = 8;
    config.model.category_hidden_dim = 16;
    config.model.decoder.hidden_dim = 16;
    config.model.decoder.partial_hidden_dim = 8;
    config.model.levels = {{"*", {{4, 6}, {4, 4}}}};
    config.categories.per_family = true;
    config.categories.min_features = 2;
    config.families = {
        {.name = "initial",
         .encoder = "InitialHybridEncoder",
         .encoder_params = {.embedding_dim = 6}},
        {.name = "temporal",
         .encoder = "PyramidTemporalEncoder",
         .encoder_params = {
             .level_dims = {4, 4},
             .downsample_factors = {1, 2},
             .variable_length = {.enabled = true, .min_timesteps = 4, .max_timesteps = 16}}}};
    config.training.num_epochs = 3;
    config.training.batch_size = 16;
    config.training.learning_rate = 5e-3;
    config.training.checkpoint_dir = path(run);
    config.training.device = "cpu";
    return config;
  }

  /// Categories learned, by the seeds' own values.
  Config learnable_config(const std::string& run = "run") {
    Config config = hybrid_config(run);
    config.training.category_assignment = "learnable";
    config.learnable_assignment.temperature_schedule = "linear";
    config.learnable_assignment.temperature_hold = 0;
    config.learnable_assignment.assignment_lr = 0.001;
    return config;
  }

  /// Tensors of a checkpoint whose names begin so.
  std::map<std::string, Bytes> tensors_under(const std::string& checkpoint,
                                             const std::string& prefix) const {
    std::map<std::string, Bytes> found = tensors_of(path(checkpoint));
    std::erase_if(found, [&](const auto& one) { return !one.first.starts_with(prefix); });
    EXPECT_FALSE(found.empty()) << prefix;
    return found;
  }

 private:
  static void add_sample(FeatureBlock& block, const RawSet& set, int64_t n) {
    uint64_t draw = 0;
    const auto uniform = [&] {
      return 2 * kernels::random_uniform(set.seed, 9998, static_cast<uint64_t>(n), draw++) - 1;
    };
    const float u = uniform(), v = uniform();
    const auto noisy = [&](float value) { return value + 0.1f * uniform(); };
    for (const float value : {u, v, u + v, u * v}) block.families[0].push_back(noisy(value));
    const auto length = static_cast<int32_t>(4 * (1 + n % 4));
    block.lengths.push_back(length);
    for (int32_t t = 0; t < kSteps; ++t)
      for (size_t f = 0; f < set.series_features.size(); ++f) {
        const auto time = static_cast<float>(t);
        const float value = f == 0   ? u * std::sin(time / 2)
                            : f == 1 ? v * std::cos(time / 3)
                                     : u * v;
        block.families[1].push_back(t < length ? noisy(value) : 0);
      }
    for (int channel = 0; channel < 2; ++channel)
      for (int64_t y = 0; y < set.side; ++y)
        for (int64_t x = 0; x < set.side; ++x)
          block.inputs.push_back(noisy(channel == 0 ? u * std::sin(static_cast<float>(x))
                                                    : v * std::sin(static_cast<float>(y))));
  }
};

}  // namespace tessera::testing
