#include "training/run_data.h"

namespace tessera {
namespace {

/// Throws Error (Config) for a key about named features that is not as by default: rows of a dense
/// model have no names, and are trained on as they are.
void refuse_feature_keys(const Config& config) {
  for (const std::string& change : config_changes(Config{}, config)) {
    const std::string key = change.substr(0, change.find(':'));
    const bool is_off = key == "data.cleaning.enabled" && !config.data.cleaning.enabled.value_or(true);
    require(is_off || (key != "data.exclude_features" && !key.starts_with("data.cleaning.") &&
                       !key.starts_with("categories.")),
            ErrorKind::Config, key, " is for named features; model.kind dense trains on every column "
            "of data.path: leave the key out, or prepare the columns in the file");
  }
}

}  // namespace

RunData RunData::load(const Config& config, Device device) {
  refuse_feature_keys(config);
  HostRows rows = load_rows(data_file(config.data.path, Split::Train), config.data.format,
                            config.data.max_samples);
  TrainValidation split = split_rows(rows.rows, config.data.validation_fraction,
                                     static_cast<uint64_t>(config.training.seed));
  Normalizer normalizer = fit_normalizer(config.data.normalization, rows, split.train);
  require(config.model.input_size == 0 || config.model.input_size == rows.cols, ErrorKind::Config,
          "model.input_size is ", config.model.input_size, ", ", rows.where, " has ", rows.cols,
          " features a row; leave it out or set it to ", rows.cols);
  auto train = Buffer<int32_t>::from_host(split.train, device);
  Buffer<int32_t> validation;
  if (!split.validation.empty()) validation = Buffer<int32_t>::from_host(split.validation, device);
  return {std::move(split), normalizer, Dataset(std::move(rows), normalizer, device), train,
          validation};
}

Config with_sizes(Config config, const RunData& data) {
  config.model.input_size = data.set.cols();
  return config;
}

}  // namespace tessera
