#pragma once

#include <string>
#include <vector>

#include "tessera/models/categorical_tokenizer.h"

namespace tessera::bench {

/// A categorical tokenizer that is measured. bench/peers/torch_tokenizer.py has the same two.
struct TokenizerShape {
  std::string name;
  int64_t batch;
  CategoricalOptions options;
};

/// A production run of the customer's reference (section 13.1 of its description): 187 features in 12
/// categories, 36 codebooks of 16 to 32 codes and 4 to 64 dimensions; the topographic loss looks at
/// the whole batch.
inline TokenizerShape shape_p() {
  TokenizerShape shape{.name = "P", .batch = 1024, .options = {}};
  LevelRules rules;
  rules.ratios = {0.31, 0.84, 1.91};
  rules.uniform_codebooks = true;
  for (const int64_t features : {16, 33, 9, 5, 13, 17, 19, 16, 5, 14, 16, 24}) {
    const std::string name = "category" + std::to_string(shape.options.categories.size());
    shape.options.categories.push_back({name, features, level_sizes(name, features, {}, rules)});
  }
  shape.options.embedding_dim = 256;
  shape.options.hidden_dim = 512;
  shape.options.topographic_samples = shape.batch;
  return shape;
}

/// 512 features in 12 categories, each with codebooks of 128 x 32, 256 x 16 and 512 x 8.
inline TokenizerShape shape_s() {
  constexpr int64_t kFeatures = 512, kCategories = 12;
  TokenizerShape shape{.name = "S", .batch = 1024, .options = {}};
  for (int64_t k = 0; k < kCategories; ++k)
    shape.options.categories.push_back(
        {"category" + std::to_string(k),
         (k + 1) * kFeatures / kCategories - k * kFeatures / kCategories,
         {LevelSize{32, 128}, LevelSize{16, 256}, LevelSize{8, 512}}});
  shape.options.embedding_dim = 64;
  shape.options.hidden_dim = 128;
  shape.options.topographic_samples = shape.batch;
  return shape;
}

}  // namespace tessera::bench
