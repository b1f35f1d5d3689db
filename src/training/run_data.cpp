#include "training/run_data.h"

#include <algorithm>
#include <array>

namespace tessera {
namespace {

/// Throws Error (Config) for a key that is not as by default and that this kind of model would not
/// look at: a key without effect is a mistake.
void refuse_other_models_keys(const Config& config) {
  constexpr std::array kOfFeatures = {"data.exclude_features",
                                      "data.cleaning.",
                                      "families",
                                      "categories.",
                                      "losses.informativeness",
                                      "losses.codebook_orthogonality",
                                      "losses.topographic",
                                      "losses.entropy",
                                      "losses.feature_weights",
                                      "model.category_",
                                      "model.compression_ratios",
                                      "model.ratio_strategy",
                                      "model.uniform_codebooks",
                                      "model.levels",
                                      "model.dropout",
                                      "model.decoder.",
                                      "training.category_assignment",
                                      "learnable_assignment."};
  constexpr std::array kOfDense = {"model.encoder_sizes", "model.decoder_sizes",
                                   "model.embedding_dim", "quantizer.codebook_size"};
  const auto refuse = [&](const auto& keys, const std::string& why) {
    for (const std::string& change : config_changes(Config{}, config)) {
      const std::string key = change.substr(0, change.find(':'));
      const bool is_off =
          key == "data.cleaning.enabled" && !config.data.cleaning.enabled.value_or(true);
      for (const char* start : keys)
        require(is_off || !key.starts_with(start), ErrorKind::Config, key, why);
    }
  };
  if (config.model.kind == "dense")
    refuse(
        kOfFeatures,
        " is for named features (model.kind categorical); model.kind dense trains on every column "
        "of data.path: leave the key out, or prepare the columns in the file");
  else
    refuse(
        kOfDense,
        " is of model.kind dense; sizes of a categorical model are model.category_embedding_dim, "
        "category_hidden_dim, decoder and levels");
}

void check_input_size(const Config& config, const std::string& where, int64_t features) {
  require(config.model.input_size == 0 || config.model.input_size == features, ErrorKind::Config,
          "model.input_size is ", config.model.input_size, ", ", where, " has ", features,
          " features a row; leave it out or set it to ", features);
}

RunData finish(const Config& config, TrainValidation split, Normalizer normalizer, HostRows rows,
               Device device) {
  check_input_size(config, rows.where, rows.cols);
  auto train = Buffer<int32_t>::from_host(split.train, device);
  Buffer<int32_t> validation;
  if (!split.validation.empty()) validation = Buffer<int32_t>::from_host(split.validation, device);
  ModelConfig model = config.model;
  model.input_size = rows.cols;
  return {std::move(split),
          normalizer,
          Dataset(std::move(rows), normalizer, device),
          train,
          validation,
          {},
          std::move(model)};
}

RunData load_named(const Config& config, Device device, Console& console) {
  PreparedFeatures prepared = prepare_features(config, device, console);
  ModelFeatures features = model_features(prepared);
  // Cleaned a second time nothing changes but the order of the columns.
  FeatureMatrix matrix = model_rows(prepared.matrix, features, config.data.path);
  if (learns_categories(config))
    allow_learning(features,
                   config.categories.per_family || !config.categories.isolated_families.empty());
  features.weights = feature_weights(config.losses.feature_weights, matrix, prepared.train);
  std::vector<CategoryLevels> levels =
      resolve_levels(config.model, features, matrix, prepared.train);
  Normalizer normalizer = fit_normalizer(config.data.normalization, matrix, prepared.train).numbers;
  HostRows rows{.bytes = {},
                .values = std::move(matrix.values),
                .rows = matrix.rows,
                .cols = matrix.cols(),
                .row_shape = {matrix.cols()},
                .where = config.data.path};
  RunData data = finish(config, {prepared.train, prepared.validation}, std::move(normalizer),
                        std::move(rows), device);
  data.features = std::move(features);
  data.model.levels = std::move(levels);
  for (const std::string& line : describe_categories(data.features, data.model)) console.line(line);
  if (prepared.encoders) {
    data.encoded = std::make_shared<EncodedRows>(prepared.inputs, std::move(prepared.columns),
                                                 prepared.raw, device);
    data.start = prepared.encoders;
  }
  return data;
}

}  // namespace

RunData RunData::load(const Config& config, Device device, Console& console) {
  refuse_other_models_keys(config);
  if (config.model.kind != "dense") return load_named(config, device, console);
  HostRows rows = load_rows(data_file(config.data.path, Split::Train), config.data.format,
                            config.data.max_samples);
  TrainValidation split = split_rows(rows.rows, config.data.validation_fraction,
                                     static_cast<uint64_t>(config.training.seed));
  Normalizer normalizer = fit_normalizer(config.data.normalization, rows, split.train);
  return finish(config, std::move(split), std::move(normalizer), std::move(rows), device);
}

RowsNow RunData::validation_now(Tokenizer& model, int64_t steps) const {
  if (!encoded) return {{}, set.source(), validation.empty() ? train : validation};
  const std::vector<int32_t>& rows = split.validation.empty() ? split.train : split.validation;
  RowsNow now{
      encoded->features(*model.encoders(), rows, steps > 0 ? at_most(steps) : nullptr), {}, {}};
  now.source = now.encoded->source();
  return now;
}

RowsNow RunData::training_now(Tokenizer& model, int64_t most, uint64_t seed,
                              uint64_t number) const {
  if (!encoded) return {{}, set.source(), train};
  std::vector<int32_t> rows;
  for (uint64_t i = 0; i < std::min<uint64_t>(static_cast<uint64_t>(most), split.train.size()); ++i)
    rows.push_back(split.train[kernels::permuted_index(seed, kernels::kStreamSample, number, i,
                                                       split.train.size())]);
  RowsNow now{encoded->features(*model.encoders(), rows), {}, {}};
  now.source = now.encoded->source();
  return now;
}

void start_encoders(const RunData& data, Tokenizer& model) {
  if (!data.start) return;
  data.start->copy_to(model);
  const FamilyEncoders& encoders = *model.encoders();
  if (!data.normalizer.has_numbers()) return;
  const auto outputs = static_cast<size_t>(encoders.output_columns());
  std::vector<float> mean(outputs, 0), scale(outputs, 1);
  const std::vector<int32_t> order = order_of(data.features.names, encoders.names(), "the model");
  for (size_t t = 0; t < order.size(); ++t) {
    const auto column = static_cast<size_t>(order[t]);
    if (!encoders.is_encoded()[column]) continue;  // normalised with the input row
    mean[column] = data.normalizer.mean[t];
    scale[column] = data.normalizer.scale[t];
  }
  model.encoders()->set_normalizer(mean, scale);
}

Config with_sizes(Config config, const RunData& data) {
  config.model = data.model;
  return config;
}

}  // namespace tessera
