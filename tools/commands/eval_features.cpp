// `tessera eval` of a model with named features.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "commands/commands.h"
#include "tessera/evaluation_rows.h"
#include "tessera/residual_kmeans.h"
#include "tessera/tokenizer_metrics.h"

namespace tessera::tools {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t kBatch = 1024;

struct Measured {
  TokenizerMetrics metrics;
  std::optional<StoredUnitsError> stored;
  TokenSurvival survival;
  std::optional<ResidualKmeans> reference;
};

/// Columns sorted by category: as they are, or as learned. `layout` gets their places; a category that
/// has lost all its features is left out of both.
Tensor by_category(const TrainedModel& model, const Tensor& rows,
                   std::vector<CategoryLayout>& layout, std::vector<int64_t>& sizes) {
  LearnedAssignment* learned = model.model->learned();
  if (learned == nullptr) return rows;
  const std::vector<int32_t> own = learned->hard();
  const int64_t levels = static_cast<int64_t>(sizes.size() / layout.size());
  std::vector<CategoryLayout> sorted;
  std::vector<int64_t> columns, kept;
  for (size_t k = 0; k < layout.size(); ++k) {
    const auto first = static_cast<int64_t>(columns.size());
    for (size_t i = 0; i < own.size(); ++i)
      if (own[i] == static_cast<int32_t>(k)) columns.push_back(static_cast<int64_t>(i));
    if (static_cast<int64_t>(columns.size()) == first) continue;
    sorted.push_back({layout[k].name, first, static_cast<int64_t>(columns.size()) - first});
    kept.insert(kept.end(), sizes.begin() + static_cast<int64_t>(k) * levels,
                sizes.begin() + static_cast<int64_t>(k + 1) * levels);
  }
  const std::vector<float> values = rows.to_host();
  std::vector<float> result;
  result.reserve(values.size());
  for (int64_t n = 0; n < rows.rows(); ++n)
    for (const int64_t column : columns)
      result.push_back(values[static_cast<size_t>(n * rows.cols() + column)]);
  layout = std::move(sorted);
  sizes = std::move(kept);
  return Tensor::from_host(rows.rows(), rows.cols(), result, rows.device());
}

/// What the model's tokens could say without a network; nothing where there are too few rows.
std::optional<ResidualKmeans> reference_of(const TrainedModel& model, const EvaluationRows& rows,
                                           std::vector<CategoryLayout> layout, Console& console) {
  std::vector<int64_t> sizes = codebook_sizes(model.model->quantizer().table());
  if (rows.fit.size() < *std::ranges::max_element(sizes)) {
    if (!rows.fit.empty())
      console.warning(fmt::format("no residual k-means reference: {} training rows for codebooks of "
                                  "up to {} codes", rows.fit.size(), *std::ranges::max_element(sizes)));
    return {};
  }
  const Device device = model.model->device();
  std::vector<CategoryLayout> same_layout = layout;
  std::vector<int64_t> same_sizes = sizes;
  const Tensor fit = by_category(
      model, gather_rows(rows.set.source(), rows.fit, 0, rows.fit.size(), device), layout, sizes);
  const Tensor measured =
      by_category(model, gather_rows(rows.set.source(), rows.measured, 0, rows.measured_rows(), device),
                  same_layout, same_sizes);
  ResidualKmeans reference = residual_kmeans(
      fit, measured, layout, sizes,
      {.progress = [&](int done, int of) {
        console.live(fmt::format("residual k-means: {}/{} codebooks", done, of), 10);
      }});
  console.clear_live();
  return reference;
}

/// The error of a category by residual k-means, or blanks.
std::string reference_error(const Measured& measured, const std::string& category) {
  if (measured.reference)
    for (const ResidualKmeans::Category& one : measured.reference->categories)
      if (one.name == category) return fmt::format("{:.6f}", one.error);
  return "        ";
}

void print_feature_text(const TrainedModel& model, const EvaluationRows& rows, const Measured& measured) {
  const TokenizerMetrics& m = measured.metrics;
  fmt::print("{} {}, {} features, checkpoint {} (step {}, epoch {})\n", rows.which, rows.path,
             m.features, model.path, model.step, model.epoch);
  fmt::print("  reconstruction error  {:.6f}   mean over rows and features of (x - x_hat)^2, "
             "normalization {}\n", m.reconstruction_error, model.normalizer.kind);
  fmt::print("  quality               {:.4f}     1 - reconstruction error\n",
             1 - m.reconstruction_error);
  if (measured.stored)
    fmt::print("  in stored units       {:.6g}   and by the variance of the features {:.6f}\n",
               measured.stored->error, measured.stored->error_by_variance);
  fmt::print("  utilization           {:.1f}%      mean over codebooks; {} of {} codes used, {} dead\n",
             100 * m.utilization, m.tokens_used, m.tokens_total, m.dead_codes);
  fmt::print("  perplexity            {:.2f}      mean over codebooks of exp(entropy)\n", m.perplexity);
  fmt::print("  topographic           pre {:.3f}, post {:.3f}, end to end {:.3f}   correlations of "
             "distances, {} rows\n", m.topographic_pre, m.topographic_post, m.topographic_end_to_end,
             m.topographic_rows);
  fmt::print("  token survival        {:.1f}%      tokens that come back after decode and encode\n",
             100 * measured.survival.share);
  if (measured.reference) {
    fmt::print("  residual k-means      {:.6f}   same categories and codebook sizes, fitted to {} "
               "training rows in {:.1f} s\n", measured.reference->error,
               measured.reference->fitted_rows, measured.reference->seconds);
    fmt::print("  against k-means       {:.3f}x\n", m.reconstruction_error / measured.reference->error);
  }
  size_t width = 8;
  for (const CategoryMetrics& category : m.categories) width = std::max(width, category.name.size());
  fmt::print("\n  {:<{}}  features  error     k-means   use of codebooks, coarse to fine\n", "category",
             width);
  for (size_t k = 0; k < m.categories.size(); ++k) {
    const CategoryMetrics& category = m.categories[k];
    std::string levels;
    for (const CodeUse& use : category.levels)
      levels += fmt::format("  {}/{}", use.used, use.total);
    fmt::print("  {:<{}}  {:>8}  {:.6f}  {}{}\n", category.name, width, category.features,
               category.reconstruction_error,
               reference_error(measured, category.name),
               levels);
  }
}

/// Features of one family that are given, or that its encoder made.
struct FeatureSource {
  std::string name;
  int64_t features = 0;
  double error = 0;  ///< mean over them
};

/// In the data set's order. What an encoder makes it can make easy to reconstruct: errors of models with
/// different encoders compare on the given features alone.
std::vector<FeatureSource> feature_sources(const TrainedModel& model, const TokenizerMetrics& m) {
  std::vector<FeatureSource> sources;
  const FamilyEncoders* encoders = model.model->encoders();
  for (const int32_t column : model.features.data_order) {
    const std::string& feature = model.features.names[static_cast<size_t>(column)];
    bool encoded = false;
    if (encoders) {
      const auto& names = encoders->names();
      const auto place = std::ranges::find(names, feature) - names.begin();
      encoded = encoders->is_encoded().at(static_cast<size_t>(place)) != 0;
    }
    const std::string name =
        feature.substr(0, feature.find('/')) + (encoded ? ", encoded" : ", given");
    auto source = std::ranges::find(sources, name, &FeatureSource::name);
    if (source == sources.end()) source = sources.insert(source, {.name = name});
    ++source->features;
    source->error += m.feature_errors[static_cast<size_t>(column)];
  }
  for (FeatureSource& source : sources) source.error /= static_cast<double>(source.features);
  return sources;
}

void print_sources(const std::vector<FeatureSource>& sources) {
  size_t width = 8;
  for (const FeatureSource& source : sources) width = std::max(width, source.name.size());
  fmt::print("\n  {:<{}}  features  error\n", "family", width);
  for (const FeatureSource& source : sources)
    fmt::print("  {:<{}}  {:>8}  {:.6f}\n", source.name, width, source.features, source.error);
}

Json category_json(const CategoryMetrics& category) {
  Json levels = Json::array();
  for (size_t l = 0; l < category.levels.size(); ++l) {
    const CodeUse& use = category.levels[l];
    Json level = {{"utilization", use.utilization},
                  {"codes_used", use.used},
                  {"codes", use.total},
                  {"perplexity", use.perplexity}};
    if (!category.partial_error.empty()) level["partial_error"] = category.partial_error[l];
    levels.push_back(level);
  }
  return {{"name", category.name},
          {"features", category.features},
          {"reconstruction_error", category.reconstruction_error},
          {"levels", levels}};
}

void print_feature_json(const TrainedModel& model, const EvaluationRows& rows, const Measured& measured) {
  const TokenizerMetrics& m = measured.metrics;
  Json json = {{"data", rows.path},
               {"checkpoint", model.path},
               {"step", model.step},
               {"epoch", model.epoch},
               {"rows", m.rows},
               {"features", m.features},
               {"reconstruction_error", m.reconstruction_error},
               {"quality", 1 - m.reconstruction_error},
               {"utilization", m.utilization},
               {"codes_used", m.tokens_used},
               {"codes", m.tokens_total},
               {"dead_codes", m.dead_codes},
               {"perplexity", m.perplexity},
               {"topographic_pre", m.topographic_pre},
               {"topographic_post", m.topographic_post},
               {"topographic_end_to_end", m.topographic_end_to_end},
               {"token_survival", measured.survival.share}};
  if (measured.stored)
    json["stored_units"] = {{"error", measured.stored->error},
                            {"error_by_variance", measured.stored->error_by_variance}};
  if (measured.reference)
    json["residual_kmeans"] = {{"error", measured.reference->error},
                               {"fit_error", measured.reference->fit_error},
                               {"fitted_rows", measured.reference->fitted_rows},
                               {"seconds", measured.reference->seconds},
                               {"ratio", m.reconstruction_error / measured.reference->error}};
  json["feature_sources"] = Json::array();
  for (const FeatureSource& source : feature_sources(model, m))
    json["feature_sources"].push_back({{"name", source.name},
                                       {"features", source.features},
                                       {"reconstruction_error", source.error}});
  json["categories"] = Json::array();
  for (const CategoryMetrics& category : m.categories)
    json["categories"].push_back(category_json(category));
  fmt::print("{}\n", json.dump(1));
}

}  // namespace

int run_eval_features(TrainedModel& model, const EvalArguments& arguments, Console& console) {
  require(arguments.grid.empty(), ErrorKind::Usage,
          "--grid is for rows that are images; rows of named features have no picture");
  require(arguments.reference.empty() || arguments.reference == "none", ErrorKind::Usage,
          "--reference ", arguments.reference,
          ": a model of named features is measured against residual k-means on its own training rows; "
          "leave it out, or use none");
  const EvaluationRows rows = evaluation_rows(model, arguments.data);
  if (rows.trained_on)
    console.warning("these rows include the rows it was trained on; name others with --data");
  const std::vector<CategoryLayout> layout = category_layout(model.features);
  const RowSource& source = rows.set.source();
  Measured measured{
      .metrics = measure_tokenizer(*model.model, layout, source, rows.measured, kBatch),
      .stored = {},
      .survival = token_survival(*model.model, source, rows.measured, kBatch),
      .reference = {}};
  measured.stored = in_stored_units(measured.metrics, model.normalizer);
  if (arguments.reference.empty()) measured.reference = reference_of(model, rows, layout, console);
  (arguments.json ? print_feature_json : print_feature_text)(model, rows, measured);
  if (!arguments.json && model.model->encoders())
    print_sources(feature_sources(model, measured.metrics));
  return 0;
}

}  // namespace tessera::tools
