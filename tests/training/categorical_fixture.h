#pragma once

#include <cmath>
#include <random>

#include "tessera/feature_data.h"
#include "tessera/feature_matrix.h"
#include "tessera/load_features.h"
#include "tessera/model_features.h"
#include "tessera/tokens.h"
#include "training/run_fixture.h"

namespace tessera::testing {

/// Features of three blocks, 6, 5 and 4, which stand mixed among each other in two families. Feature i
/// of a block whose latent is u, uniform on [-sqrt(3), sqrt(3)], is 10^(i % 3) (i + 1 +- u + 0.3 e), e
/// of the same kind: two features of a block correlate by 1 / 1.09, others not at all.
inline const std::vector<std::vector<std::string>>& planted_blocks() {
  static const std::vector<std::vector<std::string>> blocks = {
      {"initial/a0", "initial/a1", "initial/a2", "summary/a3", "summary/a4", "summary/a5"},
      {"initial/b0", "initial/b1", "initial/b2", "summary/b3", "summary/b4"},
      {"initial/c0", "initial/c1", "summary/c2", "summary/c3"}};
  return blocks;
}

inline FeatureMatrix planted_set(int64_t rows, unsigned seed = 1) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<double> uniform(-std::sqrt(3.0), std::sqrt(3.0));
  FeatureMatrix set;
  set.rows = rows;
  for (const std::string family : {"initial", "summary"})
    for (size_t i = 0; i < 6; ++i)
      for (const auto& block : planted_blocks())
        if (i < block.size() && block[i].starts_with(family)) {
          set.names.push_back(block[i]);
          set.families.push_back(family);
        }
  for (int64_t n = 0; n < rows; ++n) {
    const double latents[] = {uniform(generator), uniform(generator), uniform(generator)};
    for (const std::string& name : set.names) {
      const int block = name[name.size() - 2] - 'a', i = name.back() - '0';
      const double sign = i % 2 == 0 ? 1 : -1;
      set.values.push_back(static_cast<float>(
          std::pow(10, i % 3) * (i + 1 + sign * latents[block] + 0.3 * uniform(generator))));
    }
  }
  return set;
}

/// The columns of `set` in another order, with names given.
inline FeatureMatrix with_columns(const FeatureMatrix& set, const std::vector<std::string>& names) {
  FeatureMatrix result{.names = names, .families = {}, .rows = set.rows, .values = {}};
  std::vector<int64_t> places;
  for (const std::string& name : names) {
    places.push_back(std::find(set.names.begin(), set.names.end(), name) - set.names.begin());
    result.families.push_back(name.substr(0, name.find('/')));
  }
  for (int64_t n = 0; n < set.rows; ++n)
    for (const int64_t place : places)
      result.values.push_back(set.values[static_cast<size_t>(n * set.cols() + place)]);
  return result;
}

/// Trains categorical tokenizers on planted features in a folder of its own.
class CategoricalTest : public RunTest {
 protected:
  /// An array with the names of its columns beside it.
  void write_array(const std::string& name, const FeatureMatrix& set) const {
    write_npy(path(name), HostArray::from_values<float>({set.rows, set.cols()}, set.values));
    nlohmann::ordered_json names;
    for (int64_t i = 0; i < set.cols(); ++i)
      names[set.families[i]].push_back(set.names[i].substr(set.families[i].size() + 1));
    std::ofstream(std::filesystem::path(path(name)).replace_extension(".names.json")) << names;
  }

  /// The same as a data set of families: HDF5 for a name that ends in .h5, else a folder.
  void write_data_set(const std::string& name, const FeatureMatrix& set) const {
    FeatureLayout layout;
    FeatureBlock block;
    layout.rows = block.rows = set.rows;
    for (int64_t i = 0; i < set.cols(); ++i) {
      if (layout.families.empty() || layout.families.back().name != set.families[i])
        layout.families.push_back({set.families[i], 0, {}});
      layout.families.back().features.push_back(set.names[i].substr(set.families[i].size() + 1));
    }
    for (const FeatureFamily& family : layout.families) {
      std::vector<std::string> names;
      for (const std::string& feature : family.features)
        names.push_back(family.name + '/' + feature);
      block.families.push_back(with_columns(set, names).values);
    }
    const auto writer = create_features(path(name), layout);
    writer->append(block);
    writer->commit();
  }

  void write_mapping(const std::string& name,
                     const std::vector<std::vector<std::string>>& categories) const {
    nlohmann::ordered_json mapping;
    for (size_t k = 0; k < categories.size(); ++k)
      mapping["block_" + std::string(1, static_cast<char>('a' + k))] = categories[k];
    std::ofstream(path(name)) << mapping;
  }

  /// A small model on 300 planted rows: 270 train in 5 steps of 64, the last of 14.
  Config small_categorical(const std::string& run = "run") {
    write_array("x.npy", planted_set(300));
    Config config;
    config.data.path = path("x.npy");
    config.model.kind = "categorical";
    config.model.category_embedding_dim = 12;
    config.model.category_hidden_dim = 24;
    config.model.decoder.hidden_dim = 32;
    config.model.decoder.partial_hidden_dim = 8;
    config.model.levels = {{"*", {{4, 8}, {4, 6}}}};
    config.training.num_epochs = 3;
    config.training.batch_size = 64;
    config.training.learning_rate = 5e-3;
    config.training.checkpoint_dir = path(run);
    config.training.device = "cpu";
    return config;
  }

  /// The tokens of a file by the model in `checkpoint`, as bytes of a .npy file.
  Bytes tokens_of(const std::string& input, const std::string& checkpoint = "run",
                  int64_t batch_size = 1024) {
    TrainedModel model = load_model(path(checkpoint), {});
    encode_file(model, path(input), path("tokens_of.npy"), batch_size, quiet_);
    return get(path("tokens_of.npy"));
  }

  nlohmann::ordered_json read_json(const std::string& name) const {
    return nlohmann::ordered_json::parse(std::ifstream(path(name)));
  }
};

}  // namespace tessera::testing
