#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "tessera/tokenizer.h"

namespace tessera::inline TESSERA_PRECISION {

/// A named option of build(): a number, a list of numbers, or a name.
using OptionValue = std::variant<int64_t, std::vector<int64_t>, std::string>;
using Options = std::vector<std::pair<std::string, OptionValue>>;

/// Sizes of a dense VQ-VAE; defaults as its options.
struct DenseOptions {
  int64_t input_size = 0;  ///< required
  std::vector<int64_t> encoder_sizes = {256, 128};
  std::vector<int64_t> decoder_sizes = {128, 256};
  int64_t embedding_dim = 64;
  int64_t codebook_size = 512;
  std::string activation = "relu";

  /// Reads `input_size, embedding_dim, codebook_size, encoder_sizes, decoder_sizes, activation`.
  /// `num_embeddings` is another name of codebook_size, the one the source uses.
  /// Throws Error (Config) for an unknown name (with the known ones), a wrong kind of value, a size
  /// below 1, or a missing input_size.
  static DenseOptions from(const Options& options);
};

/// Encoder [batch, input_size] -> [batch, embedding_dim] and decoder back, both dense layers with an
/// activation between them and none at the end.
struct ModelPair {
  std::unique_ptr<Module> encoder, decoder;
};

/// Builds the model called `name` ("vq_vae", also "dense"); parameters are declared in `group`,
/// whose allocate() the caller then runs. Throws Error (Config) for an unknown name or option.
ModelPair build(std::string_view name, const Options& options, ParameterGroup& group,
                uint64_t seed = 0);
std::vector<std::string_view> model_names();
ModelPair build_dense(const DenseOptions& options, ParameterGroup& group, uint64_t seed);

using DenseOutput = TokenizerOutput;

/// The dense VQ-VAE: encoder, one codebook, decoder, and their parameter groups.
/// Source: van den Oord et al. 2017.
class DenseVqVae final : public Tokenizer {
 public:
  DenseVqVae(const DenseOptions& options, const QuantizerOptions& quantizer, Device device);

  int64_t features() const override { return options_.input_size; }
  /// x [batch, input_size] in [any] units; the decoder answers in the same.
  Var decode(const Pass& pass, const Var& quantized) override {
    return pair_.decoder->forward(pass, quantized);
  }
  const DenseOptions& options() const { return options_; }

 private:
  Var encode_assigned(const Pass& pass, const Var& x, const Var&) override {
    return pair_.encoder->forward(pass, x);
  }
  void add_buffers(std::vector<NamedTensor>& buffers) override;

  DenseOptions options_;
  ModelPair pair_;
};

}  // namespace tessera::inline TESSERA_PRECISION
