#include "tessera/models/categorical_tokenizer.h"

#include "tessera/grouped_nn.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

using kernels::ColumnGroup;
using kernels::LinearGroup;
using kernels::VqGroup;

int32_t narrow(int64_t size) { return static_cast<int32_t>(size); }

/// Calls f(category, level size) for every codebook, category by category.
template <class F>
void for_codebooks(const CategoricalOptions& options, F f) {
  for (const CategorySpec& category : options.categories)
    for (const LevelSize& level : category.levels) f(category, level);
}

VqTable codebooks_of(const CategoricalOptions& options, Device device) {
  std::vector<VqGroup> groups;
  for_codebooks(options, [&](const CategorySpec&, const LevelSize& level) {
    groups.push_back(
        {.dim = narrow(*level.code_dim), .codebook_size = narrow(*level.codebook_size)});
  });
  VqGroup::pack(groups);
  return {groups, device};
}

ColumnTable columns_of(std::vector<ColumnGroup> groups, Device device) {
  ColumnGroup::pack(groups);
  return {groups, device};
}

std::vector<ColumnGroup> latent_groups(const CategoricalOptions& options) {
  std::vector<ColumnGroup> groups;
  for_codebooks(options, [&](const CategorySpec&, const LevelSize& level) {
    groups.push_back({.cols = narrow(*level.code_dim)});
  });
  return groups;
}

int64_t latent_columns(const CategoricalOptions& options) {
  int64_t columns = 0;
  for (const ColumnGroup& group : latent_groups(options)) columns += group.cols;
  return columns;
}

void check(const CategoricalOptions& options) {
  require(!options.categories.empty(), ErrorKind::Config, "model: there are no categories");
  for (const CategorySpec& category : options.categories) {
    require(category.features > 0, ErrorKind::Config, "model: category ", category.name,
            " has no features; leave it out");
    require(category.levels.size() == options.categories.front().levels.size() &&
                !category.levels.empty(),
            ErrorKind::Config, "model: category ", category.name, " has ", category.levels.size(),
            " levels, ", options.categories.front().name, " has ",
            options.categories.front().levels.size(), "; every category has as many");
    for (const LevelSize& level : category.levels)
      TESSERA_CHECK(level.code_dim && level.codebook_size, "category ", category.name,
                    ": a level's size is not set");
  }
  int64_t features = 0, categories = 0;
  for (const CategoryFamily& family : options.assignment.families) {
    features += family.features;
    categories += family.categories;
  }
  TESSERA_CHECK(options.assignment.families.empty() ||
                    (features == options.features() &&
                     categories == static_cast<int64_t>(options.categories.size())),
                "the families have ", features, " features and ", categories,
                " categories, the model ", options.features(), " and ", options.categories.size());
  require(options.feature_weights.empty() ||
              static_cast<int64_t>(options.feature_weights.size()) == options.features(),
          ErrorKind::Config, "model: ", options.feature_weights.size(), " feature weights for ",
          options.features(), " features");
}

/// Activation and dropout behind a linear layer. `index` tells dropouts apart; without a rate it is
/// not used.
void append_activation(Sequential& layers, UnaryOp op, real rate, uint32_t index) {
  if (op == UnaryOp::Relu) return layers.append(std::make_unique<ReluDropout>(rate, index));
  layers.append(std::make_unique<Activation>(op));
  layers.append(std::make_unique<Dropout>(rate, index));
}

}  // namespace

int64_t CategoricalOptions::features() const {
  int64_t count = 0;
  for (const CategorySpec& category : categories) count += category.features;
  return count;
}

CategoricalTokenizer::CategoricalTokenizer(const CategoricalOptions& options,
                                           const QuantizerOptions& quantizer, Device device)
    : Tokenizer(device), options_((check(options), options)), context_(make_context()) {
  if (!options_.families.empty())
    encoders_ = std::make_unique<FamilyEncoders>(options_.families, options_.input_columns,
                                                 options_.feature_order, model_, device,
                                                 quantizer.seed);
  make_encoder(quantizer.seed);
  make_decoders(quantizer.seed);
  quantizer_ = make_quantizer(context_.codes, quantizer, codebook_, device);
  add_codebook_slices(slices_, context_.codes, options_.levels());
  model_.allocate(device);
  assignment_.allocate(device);
  codebook_.allocate(device);
}

CategoricalTokenizer::~CategoricalTokenizer() = default;

void CategoricalTokenizer::add_buffers(std::vector<NamedTensor>& buffers) {
  if (encoders_) encoders_->add_buffers(buffers);
}

void CategoricalTokenizer::make_encoder(uint64_t seed) {
  std::vector<LinearGroup> hidden, embedding, heads;
  std::vector<ColumnGroup> embeddings;
  const int32_t h = narrow(options_.hidden_dim), e = narrow(options_.embedding_dim);
  for (const CategorySpec& category : options_.categories) {
    int64_t dims = 0;
    for (const LevelSize& level : category.levels) dims += *level.code_dim;
    hidden.push_back({.in = narrow(category.features), .out = h});
    embedding.push_back({.in = h, .out = e});
    embeddings.push_back({.cols = e});
    heads.push_back({.in = e, .out = narrow(dims)});
  }
  const real rate = real(options_.dropout);
  const UnaryOp op = activation_named(options_.activation);
  if (options_.assignment.families.empty())
    encoder_.append(
        std::make_unique<GroupedLinear>(model_, "encoder/hidden", hidden, seed, device_));
  else
    learned_ =
        std::make_unique<LearnedAssignment>(options_.assignment, options_.hidden_dim,
                                            options_.levels(), model_, assignment_, seed, device_);
  append_activation(encoder_, op, rate, 0);
  encoder_.append(
      std::make_unique<GroupedLinear>(model_, "encoder/embedding", embedding, seed, device_));
  encoder_.append(std::make_unique<GroupedLayerNorm>(model_, "encoder/norm", embeddings, device_));
  encoder_.append(std::make_unique<GroupedLinear>(model_, "projector/heads", heads, seed, device_));
  encoder_.append(std::make_unique<Dropout>(rate, 1));
  encoder_.append(std::make_unique<GroupedLayerNorm>(model_, "projector/norm",
                                                     latent_groups(options_), device_));
  add_routing_slices(slices_, "model/encoder/hidden", options_.assignment.families, h);
  add_linear_slices(slices_, "model/encoder/embedding", embedding, 1);
  add_norm_slices(slices_, "model/encoder/norm", embeddings, 1);
  add_linear_slices(slices_, "model/projector/heads", heads, 1);
  add_norm_slices(slices_, "model/projector/norm", latent_groups(options_), options_.levels());
}

namespace {

/// y = LN(Linear(Dropout(f(LN(Linear(x)))))) + Linear(x)
class ResidualBlock final : public Module {
 public:
  ResidualBlock(ParameterGroup& group, const std::string& name, int64_t in, int64_t hidden,
                int64_t out, UnaryOp op, real rate, uint32_t dropout, uint64_t seed)
      : skip_(group, name + "/skip", in, out, seed) {
    main_.append(std::make_unique<Linear>(group, name + "/in", in, hidden, seed));
    main_.append(std::make_unique<LayerNorm>(group, name + "/in_norm", hidden));
    main_.append(std::make_unique<Activation>(op));
    main_.append(std::make_unique<Dropout>(rate, dropout));
    main_.append(std::make_unique<Linear>(group, name + "/out", hidden, out, seed));
    main_.append(std::make_unique<LayerNorm>(group, name + "/out_norm", out));
  }
  Var forward(const Pass& pass, const Var& x) override {
    return add(main_.forward(pass, x), skip_.forward(pass, x));
  }

 private:
  Sequential main_;
  Linear skip_;
};

}  // namespace

void CategoricalTokenizer::make_decoders(uint64_t seed) {
  const real rate = real(options_.dropout);
  const UnaryOp op = activation_named(options_.activation);
  int64_t width = latent_columns(options_);
  const auto reads_latents = [&](const std::string& name, int64_t outputs) {
    add_input_slices(slices_, name, outputs, latent_groups(options_), options_.levels());
  };
  if (options_.residual_sizes.empty()) {
    decoder_.append(
        std::make_unique<Linear>(model_, "decoder/hidden", width, options_.decoder_hidden, seed));
    append_activation(decoder_, op, rate, 2);
    width = options_.decoder_hidden;
    reads_latents("model/decoder/hidden/weight", width);
  } else {
    for (const char* layer : {"in", "skip"})
      reads_latents(std::string("model/decoder/block0/") + layer + "/weight",
                    options_.residual_sizes.front());
  }
  for (size_t i = 0; i < options_.residual_sizes.size(); ++i) {
    const int64_t size = options_.residual_sizes[i];
    decoder_.append(std::make_unique<ResidualBlock>(model_, "decoder/block" + std::to_string(i),
                                                    width, size, size, op, rate,
                                                    2 + static_cast<uint32_t>(i), seed));
    width = size;
  }
  decoder_.append(std::make_unique<Linear>(model_, "decoder/output", width, features(), seed));

  std::vector<LinearGroup> hidden, output;
  const int32_t p = narrow(options_.partial_hidden);
  for_codebooks(options_, [&](const CategorySpec& category, const LevelSize& level) {
    hidden.push_back({.in = narrow(*level.code_dim), .out = p});
    output.push_back({.in = p, .out = narrow(category.features)});
  });
  // Where categories are learned, their decoders give every feature that may be theirs.
  size_t q = 0;
  for (const CategoryFamily& family : options_.assignment.families)
    for (int64_t i = 0; i < family.categories * options_.levels(); ++i)
      output[q++].out = family.features;
  parts_.append(std::make_unique<GroupedLinear>(model_, "parts/hidden", hidden, seed, device_));
  append_activation(parts_, op, 0, 0);
  auto last = std::make_unique<GroupedLinear>(model_, "parts/output", output, seed, device_);
  if (learned_) learned_->decodes_with(*last);
  parts_.append(std::move(last));
  add_linear_slices(slices_, "model/parts/hidden", hidden, options_.levels());
  add_linear_slices(slices_, "model/parts/output", output, options_.levels());
}

LossContext CategoricalTokenizer::make_context() const {
  const int64_t features = options_.features(), levels = options_.levels();
  const double codebooks = static_cast<double>(options_.categories.size()) * double(levels);
  std::vector<real> feature, latent, partial;
  std::vector<int32_t> columns;
  for (int64_t i = 0; i < features; ++i) {
    const double weight = options_.feature_weights.empty() ? 1 : options_.feature_weights[i];
    feature.push_back(real(weight / double(features)));
  }
  int64_t first = 0;
  for (const CategorySpec& category : options_.categories) {
    for (const LevelSize& level : category.levels) {
      latent.insert(latent.end(), static_cast<size_t>(*level.code_dim),
                    real(1 / (codebooks * double(*level.code_dim))));
      for (int64_t i = first; i < first + category.features; ++i) {
        partial.push_back(feature[static_cast<size_t>(i)] / real(levels));
        columns.push_back(narrow(i));
      }
    }
    first += category.features;
  }
  const auto row = [&](const std::vector<real>& values) {
    return Tensor::from_host(1, static_cast<int64_t>(values.size()), values, device_);
  };
  return {.codes = codebooks_of(options_, device_),
          .features = columns_of({{.cols = narrow(features)}}, device_),
          .latents = columns_of(latent_groups(options_), device_),
          .feature_weight = row(feature),
          .latent_weight = row(latent),
          .partial_weight = row(partial),
          .partial_columns = Buffer<int32_t>::from_host(columns, device_),
          .topographic_samples = options_.topographic_samples,
          .entropy_temperature = real(options_.entropy_temperature)};
}

Var CategoricalTokenizer::encode_assigned(const Pass& pass, const Var& x, const Var& assignment) {
  return encoder_.forward(pass, learned_ ? learned_->route(pass, x, assignment) : x);
}

Var CategoricalTokenizer::decode(const Pass& pass, const Var& quantized) {
  return decoder_.forward(pass, quantized);
}

Var CategoricalTokenizer::decode_parts(const Pass& pass, const Var& quantized) {
  return parts_.forward(pass, quantized);
}

}  // namespace tessera::inline TESSERA_PRECISION
