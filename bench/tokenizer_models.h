#pragma once

#include <string>
#include <vector>

#include "tessera/models/categorical_tokenizer.h"

namespace tessera::bench {

/// What a step minimises. Codebooks that are running averages take no gradient: of their terms the
/// orthogonality is computed, as the reference does, the codebook term (the commitment's value) is not.
struct WeightedTerm {
  const char* loss;
  float weight;
};
inline constexpr WeightedTerm kTokenizerLosses[] = {{"reconstruction", 1},
                                                    {"commitment", 0.25f},
                                                    {"informativeness", 0.1f},
                                                    {"codebook_orthogonality", 0.1f},
                                                    {"topographic", 0.3f}};

/// A categorical tokenizer that is measured. bench/peers/torch_tokenizer.py has P and S.
struct TokenizerShape {
  std::string name;
  int64_t batch;
  CategoricalOptions options;
  // Where categories are learned:
  float logit = 0;  ///< above 0: logits begin at +logit for a feature's category, -logit elsewhere
  double skip_below = 0;  ///< shares below are not computed; 0: all are

  bool is_learned() const { return logit > 0; }
};

/// The same model with its categories learned: one family, so that every feature may be of each, with
/// noise at temperature 1.
inline TokenizerShape learning(TokenizerShape shape, const std::string& name, float logit,
                               double skip_below) {
  shape.name += "/" + name;
  shape.logit = logit;
  shape.skip_below = skip_below;
  shape.options.assignment.families = {
      {.features = static_cast<int32_t>(shape.options.features()),
       .categories = static_cast<int32_t>(shape.options.categories.size())}};
  return shape;
}

/// As a run begins (learnable_assignment.assignment_init).
inline TokenizerShape learned(const TokenizerShape& shape) {
  return learning(shape, "learned", 2, 0);
}
/// When it has settled: with 12 categories all shares but a feature's own are 6e-6, below the default
/// of learnable_assignment.skip_threshold.
inline TokenizerShape sharpened(const TokenizerShape& shape) {
  return learning(shape, "sharpened", 6, 1e-4);
}

/// The same without half of the categories.
inline TokenizerShape half_of(TokenizerShape shape) {
  CategoricalOptions& options = shape.options;
  options.categories.resize(options.categories.size() / 2);
  if (!shape.is_learned()) return shape;
  options.assignment.families = {{.features = static_cast<int32_t>(options.features()),
                                  .categories = static_cast<int32_t>(options.categories.size())}};
  return shape;
}

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

/// `features` features in categories of equal sizes, each with codebooks of 128 x 32, 256 x 16 and
/// 512 x 8.
inline TokenizerShape equal_categories(const std::string& name, int64_t batch, int64_t features,
                                       int64_t categories) {
  TokenizerShape shape{.name = name, .batch = batch, .options = {}};
  for (int64_t k = 0; k < categories; ++k)
    shape.options.categories.push_back(
        {"category" + std::to_string(k),
         (k + 1) * features / categories - k * features / categories,
         {LevelSize{32, 128}, LevelSize{16, 256}, LevelSize{8, 512}}});
  shape.options.embedding_dim = 64;
  shape.options.hidden_dim = 128;
  shape.options.topographic_samples = shape.batch;
  return shape;
}

inline TokenizerShape shape_s() { return equal_categories("S", 1024, 512, 12); }

}  // namespace tessera::bench
