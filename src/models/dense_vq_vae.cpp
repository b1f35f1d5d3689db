#include "tessera/models/dense_vq_vae.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

constexpr std::string_view kOptionNames =
    "input_size, embedding_dim, codebook_size, encoder_sizes, decoder_sizes, activation";

template <class T>
T value_of(const std::string& name, const OptionValue& value, std::string_view kind) {
  const T* found = std::get_if<T>(&value);
  require(found != nullptr, ErrorKind::Config, "vq_vae: option ", name, " must be ", kind);
  return *found;
}

void require_positive(const std::string& name, int64_t size) {
  require(size >= 1, ErrorKind::Config, "vq_vae: option ", name, " has the size ", size,
          "; sizes are at least 1");
}

}  // namespace

DenseOptions DenseOptions::from(const Options& options) {
  DenseOptions result;
  for (const auto& option : options) {
    const auto& name = option.first;  // lambdas of clang 14 do not capture bindings
    const auto& value = option.second;
    const auto size = [&](int64_t& target) {
      target = value_of<int64_t>(name, value, "a number");
      require_positive(name, target);
    };
    const auto sizes = [&](std::vector<int64_t>& target) {
      target = value_of<std::vector<int64_t>>(name, value, "a list of numbers");
      for (const int64_t each : target) require_positive(name, each);
    };
    if (name == "input_size") size(result.input_size);
    else if (name == "embedding_dim") size(result.embedding_dim);
    else if (name == "codebook_size" || name == "num_embeddings") size(result.codebook_size);
    else if (name == "encoder_sizes") sizes(result.encoder_sizes);
    else if (name == "decoder_sizes") sizes(result.decoder_sizes);
    else if (name == "activation") result.activation = value_of<std::string>(name, value, "a name");
    else fail(ErrorKind::Config, "vq_vae: ", name, " is not an option; the options are ", kOptionNames);
  }
  require(result.input_size > 0, ErrorKind::Config,
          "vq_vae: option input_size is missing; give the number of features of a row");
  return result;
}

ModelPair build_dense(const DenseOptions& options, ParameterGroup& group, uint64_t seed) {
  const UnaryOp op = activation_named(options.activation);
  return {make_mlp(group, "encoder", options.input_size, options.encoder_sizes,
                   options.embedding_dim, op, seed),
          make_mlp(group, "decoder", options.embedding_dim, options.decoder_sizes,
                   options.input_size, op, seed)};
}

DenseVqVae::DenseVqVae(const DenseOptions& options, const QuantizerOptions& quantizer,
                       Device device)
    : Tokenizer(device), options_(options) {
  pair_ = build_dense(options, model_, quantizer.seed);
  quantizer_ = make_quantizer(one_codebook(options.codebook_size, options.embedding_dim, device),
                              quantizer, codebook_, device);
  model_.allocate(device);
  codebook_.allocate(device);
}

void DenseVqVae::add_buffers(std::vector<NamedTensor>& buffers) {
  pair_.encoder->add_buffers(buffers);
  pair_.decoder->add_buffers(buffers);
}

}  // namespace tessera::inline TESSERA_PRECISION
