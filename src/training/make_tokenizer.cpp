// Which model a config describes. A new model is one row.

#include <algorithm>

#include "tessera/checkpoint.h"
#include "tessera/model_features.h"
#include "tessera/models/categorical_tokenizer.h"
#include "tessera/models/dense_vq_vae.h"
#include "training/encoded_rows.h"

namespace tessera {
namespace {

DenseOptions dense_options(const Config& config) {
  return {.input_size = config.model.input_size,
          .encoder_sizes = config.model.encoder_sizes,
          .decoder_sizes = config.model.decoder_sizes,
          .embedding_dim = config.model.embedding_dim,
          .codebook_size = config.quantizer.codebook_size,
          .activation = config.model.activation};
}

CategoricalOptions categorical_options(const Config& config, const ModelFeatures& features) {
  CategoricalOptions options{.categories = {},
                             .embedding_dim = config.model.category_embedding_dim,
                             .hidden_dim = config.model.category_hidden_dim,
                             .decoder_hidden = config.model.decoder.hidden_dim,
                             .residual_sizes = config.model.decoder.residual_sizes,
                             .partial_hidden = config.model.decoder.partial_hidden_dim,
                             .dropout = config.model.dropout,
                             .activation = config.model.activation,
                             .feature_weights = features.weights,
                             .topographic_samples = config.losses.topographic_samples,
                             .entropy_temperature = config.losses.entropy_temperature};
  for (const auto& [count, categories] : features.assignment)
    options.assignment.families.push_back({.features = static_cast<int32_t>(count),
                                           .categories = static_cast<int32_t>(categories)});
  CategoryFamily::pack(options.assignment.families);
  options.assignment.gumbel = config.learnable_assignment.gumbel;
  options.assignment.hard = config.learnable_assignment.hard;
  options.assignment.hard_informativeness =
      config.learnable_assignment.informativeness == "hard";
  for (const ColumnCategory& category : features.categories) {
    const auto levels =
        std::ranges::find(config.model.levels, category.name, &CategoryLevels::category);
    require(levels != config.model.levels.end(), ErrorKind::Config, "model.levels has no sizes of ",
            category.name);
    options.categories.push_back({category.name, category.features, levels->levels});
  }
  return options;
}

/// Adds the encoders that make the features.
void add_encoders(CategoricalOptions& options, const Config& config, const ModelFeatures& features,
                  Device device) {
  if (features.inputs.empty()) return;
  require(config.families.size() == features.inputs.families.size(), ErrorKind::Data,
          "the model's config names ", config.families.size(), " families, its inputs have ",
          features.inputs.families.size(), "; the file is damaged");
  options.families = family_specs(config, features.inputs);
  options.input_columns = static_cast<int64_t>(features.inputs.cleaning.kept.size());
  ParameterGroup unused("model", kModelGroup);  // what the encoders make is known once they are made
  const FamilyEncoders probe(options.families, options.input_columns, {}, unused, device, 0);
  options.feature_order = order_of(features.names, probe.names(), "the model");
}

std::unique_ptr<Tokenizer> make_dense(const Config& config, const ModelFeatures&, Device device) {
  return std::make_unique<DenseVqVae>(dense_options(config), quantizer_options(config), device);
}

std::unique_ptr<Tokenizer> make_categorical(const Config& config, const ModelFeatures& features,
                                            Device device) {
  CategoricalOptions options = categorical_options(config, features);
  add_encoders(options, config, features, device);
  return std::make_unique<CategoricalTokenizer>(options, quantizer_options(config), device);
}

/// Values of layers one after another, with biases.
double mlp_size(double width, const std::vector<int64_t>& sizes, double out) {
  double values = 0;
  for (const int64_t size : sizes) {
    values += (width + 1) * double(size);
    width = double(size);
  }
  return values + (width + 1) * out;
}

double dense_size(const Config& config, const ModelFeatures&) {
  const double features = double(config.model.input_size), dim = double(config.model.embedding_dim);
  return double(config.quantizer.codebook_size) * dim +
         mlp_size(features, config.model.encoder_sizes, dim) +
         mlp_size(dim, config.model.decoder_sizes, features);
}

/// A lower bound, which a damaged file cannot stay under: layer norms are left out.
double categorical_size(const Config& config, const ModelFeatures& features) {
  const CategoricalOptions options = categorical_options(config, features);
  double values = 0, latents = 0;
  for (const CategorySpec& category : options.categories) {
    double dims = 0;
    for (const LevelSize& level : category.levels) {
      const double dim = double(*level.code_dim);
      dims += dim;
      values += dim * double(*level.codebook_size) +
                mlp_size(dim, {options.partial_hidden}, double(category.features));
    }
    values += mlp_size(double(category.features), {options.hidden_dim, options.embedding_dim}, dims);
    latents += dims;
  }
  const double features_out = double(options.features());
  if (options.residual_sizes.empty())
    return values + mlp_size(latents, {options.decoder_hidden}, features_out);
  return values + mlp_size(latents, options.residual_sizes, features_out);
}

struct Row {
  std::string_view kind;
  std::unique_ptr<Tokenizer> (*make)(const Config&, const ModelFeatures&, Device);
  double (*size)(const Config&, const ModelFeatures&);
};
constexpr Row kModels[] = {
    {"dense", make_dense, dense_size},
    {"categorical", make_categorical, categorical_size},
};

const Row& model_row(const Config& config) {
  for (const Row& row : kModels)
    if (row.kind == config.model.kind) return row;
  fail(ErrorKind::Config, "model.kind ", config.model.kind, " is not known");
}

}  // namespace

std::unique_ptr<Tokenizer> make_tokenizer(const Config& config, const ModelFeatures& features,
                                          Device device) {
  return model_row(config).make(config, features, device);
}

double tokenizer_size(const Config& config, const ModelFeatures& features) {
  return model_row(config).size(config, features);
}

}  // namespace tessera
