#pragma once

#include <string>
#include <vector>

#include "tessera/level_sizes.h"
#include "tessera/tokenizer.h"

namespace tessera::inline TESSERA_PRECISION {

class GroupedLinear;
class GroupedLayerNorm;

/// A category: neighbouring features, and a codebook for each level.
struct CategorySpec {
  std::string name;
  int64_t features = 0;
  std::vector<LevelSize> levels;  ///< coarse to fine, every size set; as many in every category
};

struct CategoricalOptions {
  std::vector<CategorySpec> categories;      ///< in the order of their features in a row
  int64_t embedding_dim = 64;                ///< E: of a category's embedding
  int64_t hidden_dim = 128;                  ///< H: of a category's encoder
  int64_t decoder_hidden = 256;              ///< of the shared decoder, where it is an MLP
  std::vector<int64_t> residual_sizes = {};  ///< widths of residual blocks; empty: an MLP
  int64_t partial_hidden = 128;              ///< of each codebook's own decoder
  double dropout = 0.1;
  std::string activation = "relu";
  std::vector<float> feature_weights = {};  ///< of the reconstruction, [features]; empty: 1
  int64_t topographic_samples = 64;
  double entropy_temperature = 1;
  /// Families of the assignment where it is learned; else none.
  AssignmentOptions assignment = {};
  /// Families whose encoders make the features; none: features are read as they are.
  std::vector<FamilySpec> families = {};
  int64_t input_columns = 0;               ///< width of the row that the encoders read
  std::vector<int32_t> feature_order = {};  ///< as FamilyEncoders

  int64_t features() const;
  int64_t levels() const { return static_cast<int64_t>(categories.front().levels.size()); }
};

/// Tokens by category and level:
///
///   embedding_k = LN(Linear(Dropout(f(Linear(x of category k)))))               [E] of each category
///   latent_kl   = LN(Dropout(Linear(embedding_k)))                              [d_kl]
///   token_kl    = nearest code of latent_kl in codebook (k, l)
///   x_hat       = decoder(all quantized latents);   partial_kl = MLP(quantized_kl), own columns only
///
/// With an assignment the first layer of category k reads all features of its family, each by how much
/// it is of k (soft_routing), and its own decoders give all of them back, but those that are skipped;
/// the features of a category then only decide its sizes.
///
/// Everything of all categories and levels is one launch per op, whatever their number. Codebook
/// q = k L + l, categories in the order given, each with the same number of levels.
/// Source: the customer's reference, sections 1.4 to 1.6 and 5 of its description.
class CategoricalTokenizer final : public Tokenizer {
 public:
  /// Throws Error (Config) for no categories, a category without features, unequal numbers of levels.
  CategoricalTokenizer(const CategoricalOptions& options, const QuantizerOptions& quantizer,
                       Device device);
  ~CategoricalTokenizer() override;

  int64_t features() const override { return options_.features(); }
  Var decode(const Pass& pass, const Var& quantized) override;
  Var decode_parts(const Pass& pass, const Var& quantized) override;
  const LossContext* loss_context() const override { return &context_; }
  FamilyEncoders* encoders() override { return encoders_.get(); }
  LearnedAssignment* learned() override { return learned_.get(); }
  const std::vector<CategorySlices>* category_slices() const override {
    return learned_ ? &slices_ : nullptr;
  }

  const CategoricalOptions& options() const { return options_; }

 private:
  Var encode_assigned(const Pass& pass, const Var& x, const Var& assignment) override;
  void make_encoder(uint64_t seed);
  void make_decoders(uint64_t seed);
  void add_buffers(std::vector<NamedTensor>& buffers) override;
  LossContext make_context() const;

  CategoricalOptions options_;
  std::unique_ptr<FamilyEncoders> encoders_;    // where features are made of raw values
  std::unique_ptr<LearnedAssignment> learned_;  // then the first layer is its own
  Sequential encoder_, decoder_, parts_;
  std::vector<CategorySlices> slices_;  // where categories are learned
  LossContext context_;
};

}  // namespace tessera::inline TESSERA_PRECISION
