// From a data set to the features that a model with categories is trained on.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tessera/load_features.h"
#include "tessera/model_features.h"
#include "training/prepare_encoders.h"

namespace tessera {
namespace {

constexpr int64_t kRawMemory = int64_t{512} << 20;  // bytes of raw parts that are kept in memory

/// Names of the families, each once.
std::string families_of(const FeatureMatrix& features) {
  std::string text, last;
  for (const std::string& family : features.families) {
    if (family != last) text += (text.empty() ? "" : ", ") + family;
    last = family;
  }
  return text;
}

/// The columns of the config's families, in its order; all where it names none.
FeatureMatrix in_families(FeatureMatrix features, const Config& config) {
  if (config.families.empty()) return features;
  std::vector<int64_t> columns;
  for (const FamilyConfig& family : config.families) {
    const size_t before = columns.size();
    for (int64_t i = 0; i < features.cols(); ++i)
      if (features.families[i] == family.name) columns.push_back(i);
    require(columns.size() > before, ErrorKind::Data, "holds no features of the family ",
            family.name, ", which families of the config names; there are ", families_of(features),
            " (series are read by an encoder of them, such as TemporalCNNEncoder)");
  }
  FeatureMatrix chosen{.names = {}, .families = {}, .rows = features.rows, .values = {}};
  chosen.values.reserve(static_cast<size_t>(features.rows) * columns.size());
  for (const int64_t i : columns) {
    chosen.names.push_back(features.names[i]);
    chosen.families.push_back(features.families[i]);
  }
  for (int64_t row = 0; row < features.rows; ++row)
    for (const int64_t i : columns)
      chosen.values.push_back(features.values[static_cast<size_t>(row * features.cols() + i)]);
  return chosen;
}

void print_removed(Console& console, const char* title,
                   const std::vector<RemovedFeature>& removed) {
  if (removed.empty()) return;
  console.line(fmt::format("{} {} features", title, removed.size()));
  for (const RemovedFeature& feature : removed)
    console.line(fmt::format("  {}: {}", feature.name, feature.reason));
}

/// Removed features one by one; filled and capped ones one by one when verbose, else their number:
/// capping at percentiles changes every feature.
void print_cleaning(Console& console, const Cleaning& cleaning) {
  print_removed(console, "Removed", cleaning.removed);
  int64_t filled = 0, filled_in = 0, capped = 0, capped_in = 0;
  for (const CleanedFeature& feature : cleaning.kept) {
    filled += feature.filled;
    filled_in += feature.filled > 0 ? 1 : 0;
    capped += feature.capped;
    capped_in += feature.capped > 0 ? 1 : 0;
  }
  if (filled > 0)
    console.line(fmt::format("Filled {} missing values of {} features with their medians", filled,
                             filled_in));
  if (capped > 0) console.line(fmt::format("Capped {} outliers of {} features", capped, capped_in));
  for (const CleanedFeature& feature : cleaning.kept)
    if (feature.filled > 0 || feature.capped > 0)
      console.detail(fmt::format("  {}: {} filled with {:.6g}, {} capped to {:.6g} ... {:.6g}",
                                 feature.name, feature.filled, feature.fill, feature.capped,
                                 feature.low, feature.high));
}

/// What leaves every value as it is.
Cleaning no_cleaning(const FeatureMatrix& features) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  Cleaning cleaning;
  for (const std::string& name : features.names)
    cleaning.kept.push_back({.name = name,
                             .fill = std::numeric_limits<float>::quiet_NaN(),
                             .low = -kInfinity,
                             .high = kInfinity});
  return cleaning;
}

/// Features of the series of `raw`, those left out too, as family/feature.
std::vector<std::string> series_features(const RawInputs* raw) {
  std::vector<std::string> names;
  if (raw == nullptr) return names;
  for (const RawSeries& series : raw->series())
    for (const auto* list : {&series.features, &series.left_out})
      for (const std::string& feature : *list) names.push_back(series.name + "/" + feature);
  return names;
}

void clean_and_discover(PreparedFeatures& prepared, const Config& config, Device device,
                        Console& console) {
  const auto seed = static_cast<uint64_t>(config.training.seed);
  if (!prepared.raw) prepared.matrix = in_families(std::move(prepared.matrix), config);
  std::vector<std::string> loaded = prepared.matrix.names;
  prepared.excluded = exclude_features(prepared.matrix, config.data.exclude_features,
                                       series_features(prepared.raw.get()));
  if (prepared.raw)
    for (const RawSeries& series : prepared.raw->series())
      for (const std::string& feature : series.left_out) {
        const std::string name = series.name + "/" + feature;
        prepared.excluded.push_back(
            {name, "excluded by " + excluding_pattern(config.data.exclude_features, name)});
      }
  print_removed(console, "Excluded", prepared.excluded);
  TrainValidation split = split_rows(prepared.matrix.rows, config.data.validation_fraction, seed);
  prepared.train = std::move(split.train);
  prepared.validation = std::move(split.validation);
  require(prepared.train.size() > 1, ErrorKind::Data, prepared.train.size(),
          " row to train on; every feature is constant over it, give more rows");
  if (prepared.matrix.cols() == 0) {
    // Raw parts alone.
  } else if (config.data.cleaning.enabled.value_or(true)) {
    prepared.cleaning = fit_cleaning(prepared.matrix, prepared.train, config.data.cleaning, device);
    print_cleaning(console, prepared.cleaning);
    prepared.matrix = apply_cleaning(prepared.matrix, prepared.cleaning);
  } else {
    prepared.cleaning = no_cleaning(prepared.matrix);
  }
  if (prepared.raw) {
    encode_features(prepared, config, device, console);
    loaded = prepared.matrix.names;
  }
  if (config.categories.mapping_file.empty()) console.line("Auto-discovering categories");
  prepared.discovery =
      discover_categories(prepared.matrix, prepared.train, config.categories, seed, device, loaded);
}

/// Columns, and what encoders read besides.
void load_raw(PreparedFeatures& prepared, const Config& config, Console& console) {
  check_pretrained(config);  // before all the data are read
  RawSelection wanted = raw_selection(config);
  wanted.exclude = config.data.exclude_features;
  RawFeatures opened = open_raw_features(
      config.data.path, wanted, config.data.max_samples, kRawMemory,
      config.training.checkpoint_dir, [&](int64_t rows, int64_t of, const std::string& what) {
        console.live(fmt::format("{}: {} of {} rows", what, rows, of), 30);
      });
  console.clear_live();
  prepared.matrix = std::move(opened.columns);
  prepared.matrix.rows = opened.raw->rows();
  prepared.raw = std::move(opened.raw);
  if (opened.dropped > 0)
    console.line(fmt::format("Left out {} rows that were never filled", opened.dropped));
}

}  // namespace

PreparedFeatures prepare_features(const Config& config, Device device, Console& console) {
  PreparedFeatures prepared;
  if (uses_encoders(config))
    load_raw(prepared, config, console);
  else
    prepared.matrix = load_features(config.data.path, config.data.format, config.data.max_samples);
  console.line(fmt::format("Read {} rows of {} features from {}",
                           prepared.raw ? prepared.raw->rows() : prepared.matrix.rows,
                           prepared.matrix.cols(), config.data.path));
  try {
    clean_and_discover(prepared, config, device, console);
  } catch (const Error& error) {  // whoever knows a column does not know the file
    const std::string what = error.what();
    const std::string& mapping = config.categories.mapping_file;
    if (error.kind() != ErrorKind::Data || (!mapping.empty() && what.starts_with(mapping))) throw;
    throw Error(error.kind(), config.data.path + ": " + what);
  }
  return prepared;
}

ModelFeatures model_features(const PreparedFeatures& prepared) {
  ModelFeatures result;
  result.cleaning.removed = prepared.cleaning.removed;
  result.inputs = prepared.inputs;
  result.data_order.resize(prepared.matrix.names.size());
  for (const Category& category : prepared.discovery.categories) {
    result.categories.push_back({category.name, static_cast<int64_t>(category.features.size())});
    for (const int64_t column : category.features) {
      result.data_order[static_cast<size_t>(column)] = static_cast<int32_t>(result.names.size());
      result.names.push_back(prepared.matrix.names[static_cast<size_t>(column)]);
      result.cleaning.kept.push_back(prepared.cleaning.kept[static_cast<size_t>(column)]);
    }
  }
  return result;
}

FeatureMatrix model_rows(const FeatureMatrix& features, const ModelFeatures& model,
                         const std::string& where, int64_t first_row) {
  FeatureMatrix rows;
  try {
    rows = apply_cleaning(features, model.cleaning);
  } catch (const Error& error) {
    throw Error(error.kind(), where + ": " + error.what());
  }
  for (size_t i = 0; i < rows.values.size(); ++i)
    if (!std::isfinite(rows.values[i])) [[unlikely]]
      fail(ErrorKind::Data, where, ": row ", first_row + static_cast<int64_t>(i) / rows.cols(),
           ", feature ", rows.names[i % rows.names.size()],
           " is missing or not finite, and the model was trained without cleaning; fill it");
  return rows;
}

}  // namespace tessera
