// Sizes and text of a model's features.

#include "tessera/model_features.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "config/section_rules.h"
#include "tessera/category_assignment.h"
#include "training/encoder_inputs_json.h"

namespace tessera {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kHistogramBins = 50;

std::optional<RatioStrategy> strategy_of(const ModelConfig& config) {
  if (config.compression_ratios != "auto") return {};
  const std::string& name = config.ratio_strategy;
  if (name == "variance") return RatioStrategy::Variance;
  if (name == "dimensionality") return RatioStrategy::Dimensionality;
  if (name == "information") return RatioStrategy::Information;
  return RatioStrategy::Balanced;
}

/// What the config pins for a category; a name wins over *.
std::vector<LevelSize> pinned_levels(const ModelConfig& config, const std::string& category) {
  for (const std::string& key : {category, std::string("*")})
    for (const CategoryLevels& given : config.levels)
      if (given.category == key) return given.levels;
  return {};
}

void check_names(const ModelConfig& config, const ModelFeatures& features) {
  for (const CategoryLevels& given : config.levels) {
    std::string known;
    bool found = given.category == "*";
    for (const ColumnCategory& category : features.categories) {
      found |= category.name == given.category;
      known += (known.empty() ? "" : ", ") + category.name;
    }
    require(found, ErrorKind::Config, "model.levels.", given.category,
            " is no category of these data; they have ", known, " (and * is all others)");
  }
}

/// Columns [first, first + count) of the rows `rows`.
std::vector<float> columns_of(const FeatureMatrix& matrix, const std::vector<int32_t>& rows,
                              int64_t first, int64_t count) {
  std::vector<float> values;
  values.reserve(rows.size() * static_cast<size_t>(count));
  for (const int32_t row : rows) {
    const float* begin = matrix.values.data() + int64_t{row} * matrix.cols() + first;
    values.insert(values.end(), begin, begin + count);
  }
  return values;
}

double variance(const std::vector<float>& values) {
  double sum = 0, squares = 0;
  for (const float x : values) sum += double(x);
  const double mean = sum / double(values.size());
  for (const float x : values) squares += (double(x) - mean) * (double(x) - mean);
  return squares / double(values.size());
}

/// Entropy in nats of a histogram from least to greatest.
double histogram_entropy(const std::vector<float>& values) {
  const auto [least, greatest] = std::minmax_element(values.begin(), values.end());
  const double low = double(*least), width = double(*greatest) - low;
  std::vector<double> bins(kHistogramBins);
  for (const float x : values) {
    const double place = width > 0 ? (double(x) - low) / width * kHistogramBins : 0;
    ++bins[static_cast<size_t>(std::min(place, kHistogramBins - 1.0))];
  }
  double entropy = 0;
  for (const double count : bins)
    if (count > 0) entropy -= count / double(values.size()) * std::log(count / double(values.size()));
  return entropy;
}

}  // namespace

std::vector<CategoryLevels> resolve_levels(const ModelConfig& config, const ModelFeatures& features,
                                           const FeatureMatrix& matrix,
                                           const std::vector<int32_t>& train) {
  check_names(config, features);
  LevelRules rules{.ratios = {}, .uniform_codebooks = config.uniform_codebooks};
  const std::optional<RatioStrategy> strategy = strategy_of(config);
  if (!strategy && !config.compression_ratios.empty())
    rules.ratios = config::ratio_numbers(config.compression_ratios);
  std::vector<CategoryLevels> result;
  int64_t first = 0;
  for (const ColumnCategory& category : features.categories) {
    const std::vector<LevelSize> pinned = pinned_levels(config, category.name);
    const bool all_set = !pinned.empty() && std::ranges::all_of(pinned, [](const LevelSize& level) {
      return level.code_dim && level.codebook_size;
    });
    if (strategy && !all_set) {
      const std::array<double, 3> ratios = automatic_ratios(
          columns_of(matrix, train, first, category.features),
          static_cast<int64_t>(train.size()), category.features, *strategy);
      rules.ratios = std::vector<double>(ratios.begin(), ratios.end());
    }
    result.push_back({category.name, all_set ? pinned
                                             : level_sizes(category.name, category.features,
                                                           pinned, rules)});
    first += category.features;
  }
  return result;
}

std::vector<float> feature_weights(const std::string& kind, const FeatureMatrix& matrix,
                                   const std::vector<int32_t>& train) {
  if (kind == "uniform") return {};
  const auto cols = static_cast<size_t>(matrix.cols());
  std::vector<double> variances(cols), entropies(cols), weights(cols);
  for (size_t f = 0; f < cols; ++f) {
    const std::vector<float> column = columns_of(matrix, train, static_cast<int64_t>(f), 1);
    variances[f] = variance(column);
    entropies[f] = histogram_entropy(column);
  }
  const auto to_mean_of_one = [&](std::vector<double>& values) {
    const double sum = std::accumulate(values.begin(), values.end(), 0.0);
    for (double& value : values) value = sum > 0 ? value * double(cols) / sum : 1;
  };
  to_mean_of_one(variances);
  to_mean_of_one(entropies);
  for (size_t f = 0; f < cols; ++f)
    weights[f] = kind == "variance"      ? variances[f]
                 : kind == "information" ? entropies[f]
                                         : std::sqrt(variances[f] * entropies[f]);
  to_mean_of_one(weights);
  return {weights.begin(), weights.end()};
}

std::vector<std::string> describe_categories(const ModelFeatures& features,
                                             const ModelConfig& config) {
  std::vector<std::string> lines;
  size_t width = 8;
  for (const ColumnCategory& category : features.categories)
    width = std::max(width, category.name.size());
  int64_t codebooks = 0, codes = 0;
  for (size_t k = 0; k < features.categories.size(); ++k) {
    std::string levels;
    for (const LevelSize& level : config.levels[k].levels) {
      levels += fmt::format("{}{} x {}", levels.empty() ? "" : ", ", *level.codebook_size,
                            *level.code_dim);
      ++codebooks;
      codes += *level.codebook_size;
    }
    lines.push_back(fmt::format("  {:<{}}  {:>4} features, levels {}", features.categories[k].name,
                                width, features.categories[k].features, levels));
  }
  lines.insert(lines.begin(),
               fmt::format("{} categories x {} levels = {} codebooks with {} codes (codes x width; "
                           "model.levels pins them)",
                           features.categories.size(),
                           codebooks / static_cast<int64_t>(features.categories.size()), codebooks,
                           codes));
  return lines;
}

void allow_learning(ModelFeatures& features, bool by_family) {
  size_t name = 0;
  std::string last;
  features.assignment.clear();
  for (const ColumnCategory& category : features.categories) {
    const std::string family =
        by_family ? features.names[name].substr(0, features.names[name].find('/')) : "";
    if (features.assignment.empty() || family != last) features.assignment.emplace_back(0, 0);
    features.assignment.back().first += category.features;
    ++features.assignment.back().second;
    name += static_cast<size_t>(category.features);
    last = family;
  }
}

std::vector<CategoryLayout> category_layout(const ModelFeatures& features) {
  std::vector<CategoryLayout> layout;
  int64_t first = 0;
  for (const ColumnCategory& category : features.categories) {
    layout.push_back({category.name, first, category.features});
    first += category.features;
  }
  return layout;
}

std::vector<LearnedCategory> learned_categories(const ModelFeatures& features,
                                                LearnedAssignment& learned) {
  const std::vector<int32_t> now = learned.hard();
  const std::vector<float> shares =
      soft_assignment(learned.options().families, learned.logits(), 1);
  const auto categories = static_cast<size_t>(learned.categories());
  const auto name = [&](int32_t k) {
    return k < 0 ? std::string("none") : features.categories[static_cast<size_t>(k)].name;
  };
  std::vector<LearnedCategory> result;
  for (size_t i = 0; i < now.size(); ++i)
    result.push_back({features.names[i], name(learned.initial()[i]), name(now[i]),
                      {shares.begin() + static_cast<int64_t>(i * categories),
                       shares.begin() + static_cast<int64_t>((i + 1) * categories)}});
  return result;
}

std::string names_json(const ModelFeatures& features) { return Json(features.names).dump(); }

std::string categories_json(const ModelFeatures& features) {
  Json json = Json::array();
  size_t first = 0;
  for (const ColumnCategory& category : features.categories) {
    const auto last = first + static_cast<size_t>(category.features);
    json.push_back({{"name", category.name},
                    {"features", std::vector<std::string>(features.names.begin() + first,
                                                          features.names.begin() + last)}});
    first = last;
  }
  return json.dump();
}

std::string preparation_json(const ModelFeatures& features) {
  Json json = {{"cleaning", Json::parse(to_json(features.cleaning))},
               {"data_order", features.data_order},
               {"assignment", features.assignment},
               {"weights", features.weights}};
  if (!features.inputs.empty()) json["inputs"] = Json::parse(to_json(features.inputs));
  return json.dump();
}

ModelFeatures features_from_json(const std::string& names, const std::string& categories,
                                 const std::string& preparation, const std::string& source) {
  ModelFeatures result;
  try {
    result.names = Json::parse(names).get<std::vector<std::string>>();
    for (const Json& category : Json::parse(categories))
      result.categories.push_back(
          {category.at("name"), static_cast<int64_t>(category.at("features").size())});
    const Json rest = Json::parse(preparation);
    result.cleaning = cleaning_from_json(rest.at("cleaning").dump(), source);
    result.data_order = rest.at("data_order").get<std::vector<int32_t>>();
    if (rest.contains("assignment")) rest.at("assignment").get_to(result.assignment);
    result.weights = rest.at("weights").get<std::vector<float>>();
    if (rest.contains("inputs"))
      result.inputs = encoder_inputs_from_json(rest.at("inputs").dump(), source);
  } catch (const Json::exception& error) {
    fail(ErrorKind::Data, source, ": its features are damaged (", error.what(), ")");
  }
  int64_t columns = 0;
  for (const ColumnCategory& category : result.categories) columns += category.features;
  bool fits = columns == static_cast<int64_t>(result.names.size()) &&
              result.cleaning.kept.size() == result.names.size() &&
              result.data_order.size() == result.names.size() &&
              (result.weights.empty() || result.weights.size() == result.names.size());
  int64_t learned_features = 0, learned_categories = 0;
  for (const auto& [features, categories] : result.assignment) {
    learned_features += features;
    learned_categories += categories;
  }
  fits &= result.assignment.empty() ||
          (learned_features == columns &&
           learned_categories == static_cast<int64_t>(result.categories.size()));
  std::vector<char> seen(result.names.size());  // each place once
  for (size_t i = 0; fits && i < result.names.size(); ++i)
    fits = result.cleaning.kept[i].name == result.names[i] && result.data_order[i] >= 0 &&
           result.data_order[i] < static_cast<int32_t>(columns) &&
           !std::exchange(seen[static_cast<size_t>(result.data_order[i])], 1);
  require(fits, ErrorKind::Data, source, ": its features do not agree; the file is damaged");
  return result;
}

}  // namespace tessera
