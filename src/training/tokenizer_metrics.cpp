#include "tessera/tokenizer_metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tessera/step.h"

namespace tessera {
namespace {

using kernels::ColumnGroup;
using kernels::VqGroup;

constexpr uint64_t kSampleUse = 2;  // of kStreamSample; two other draws have the numbers before it

int64_t row_count(const RowSource& source, const Buffer<int32_t>& subset) {
  return subset.empty() ? source.rows : subset.size();
}

void add_to(std::vector<double>& totals, const std::vector<double>& values) {
  totals.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) totals[i] += values[i];
}

/// The features of each category: as laid out, or as the model has learned.
std::vector<std::vector<int32_t>> own_features(Tokenizer& model,
                                               std::span<const CategoryLayout> layout) {
  std::vector<std::vector<int32_t>> features(layout.size());
  if (LearnedAssignment* learned = model.learned()) {
    const std::vector<int32_t> category_of = learned->hard();
    for (size_t i = 0; i < category_of.size(); ++i)
      features[static_cast<size_t>(category_of[i])].push_back(static_cast<int32_t>(i));
    return features;
  }
  for (size_t k = 0; k < layout.size(); ++k)
    for (int64_t i = 0; i < layout[k].columns; ++i)
      features[k].push_back(static_cast<int32_t>(layout[k].first + i));
  return features;
}

/// What the batches of a pass add up to.
class Totals {
 public:
  Totals(Tokenizer& model, std::span<const CategoryLayout> layout)
      : model_(model),
        layout_(layout),
        levels_(check_layout(layout, model.features(), model.quantizer().table().size())),
        features_(static_cast<size_t>(model.features())),
        counts_(static_cast<size_t>(model.quantizer().total_codes())) {
    std::vector<int32_t> columns;
    for (const CategoryLayout& category : layout)
      for (int64_t level = 0; level < levels_; ++level)
        for (int64_t i = 0; i < category.columns; ++i)
          columns.push_back(static_cast<int32_t>(category.first + i));
    part_columns_ = Buffer<int32_t>::from_host(columns, model.device());
  }

  /// Inside a step.
  void add_batch(const Tensor& x) {
    // The decoders of learned categories give every feature: their errors say nothing of categories.
    const TokenizerOutput out = model_.forward({}, Var(x), model_.learned() == nullptr);
    add_to(features_, column_squared_errors(out.reconstruction.value(), x).to_host());
    if (!out.partial.is_null())
      add_to(parts_, column_squared_errors(out.partial.value(), x, part_columns_).to_host());
    const std::vector<int32_t> codes = out.code.codes.to_host();
    const std::span<const VqGroup> groups = model_.quantizer().table().groups();
    for (size_t i = 0; i < codes.size(); ++i)
      ++counts_[static_cast<size_t>(groups[i % groups.size()].code_begin + codes[i])];
  }

  TokenizerMetrics metrics(int64_t rows) const;

 private:
  void add_codebook(const VqGroup& codebook, CategoryMetrics& category, TokenizerMetrics& m) const;

  Tokenizer& model_;
  std::span<const CategoryLayout> layout_;
  int64_t levels_;
  Buffer<int32_t> part_columns_;
  std::vector<double> features_, parts_;  // sums over rows
  std::vector<int64_t> counts_;
};

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

void Totals::add_codebook(const VqGroup& codebook, CategoryMetrics& category,
                          TokenizerMetrics& m) const {
  const auto size = static_cast<size_t>(codebook.codebook_size);
  const CodeUse use =
      code_use(std::span(counts_).subspan(static_cast<size_t>(codebook.code_begin), size));
  const auto codebooks = static_cast<double>(model_.quantizer().table().size());
  category.levels.push_back(use);
  m.utilization += use.utilization / codebooks;
  m.perplexity += use.perplexity / codebooks;
  m.tokens_used += use.used;
  m.tokens_total += use.total;
  m.dead_codes += use.dead;
}

TokenizerMetrics Totals::metrics(int64_t rows) const {
  const auto means = [rows](std::vector<double> sums) {
    for (double& sum : sums) sum /= static_cast<double>(std::max<int64_t>(1, rows));
    return sums;
  };
  TokenizerMetrics m{.rows = rows, .features = model_.features()};
  m.feature_errors = means(features_);
  m.reconstruction_error = mean_of(m.feature_errors);
  m.code_counts = counts_;
  const std::vector<double> parts = means(parts_);
  const std::vector<std::vector<int32_t>> own = own_features(model_, layout_);
  size_t codebook = 0, part = 0;
  for (const CategoryLayout& layout : layout_) {
    const auto columns = static_cast<size_t>(layout.columns);
    const std::vector<int32_t>& features = own[m.categories.size()];
    CategoryMetrics category{.name = layout.name,
                             .first = layout.first,
                             .features = static_cast<int64_t>(features.size())};
    for (const int32_t i : features)
      category.reconstruction_error += m.feature_errors[static_cast<size_t>(i)];
    category.reconstruction_error /= static_cast<double>(std::max<size_t>(1, features.size()));
    for (int64_t level = 0; level < levels_; ++level) {
      add_codebook(model_.quantizer().table().groups()[codebook++], category, m);
      if (parts.empty()) continue;
      category.partial_error.push_back(mean_of(std::span(parts).subspan(part, columns)));
      part += columns;
    }
    m.categories.push_back(std::move(category));
  }
  return m;
}

ColumnTable one_group(int64_t columns, Device device) {
  return {{ColumnGroup{.cols = static_cast<int32_t>(columns)}}, device};
}

/// The columns of the latents by codebook.
ColumnTable by_codebook(const VqTable& table) {
  std::vector<ColumnGroup> groups;
  for (const VqGroup& group : table.groups())
    groups.push_back({.cols = group.dim, .begin = group.latent_begin});
  return {groups, table.device()};
}

void measure_distances(Tokenizer& model, const RowSource& source, const Buffer<int32_t>& subset,
                       TokenizerMetrics& m) {
  const std::vector<int32_t> sample = topographic_sample(source, subset);
  m.topographic_rows = static_cast<int64_t>(sample.size());
  if (sample.empty()) return;
  const Device device = model.device();
  const auto rows = Buffer<int32_t>::from_host(sample, device);
  const ColumnTable features = one_group(model.features(), device);
  const ColumnTable latents = by_codebook(model.quantizer().table());
  run_step(device, [&] {
    const Var x(gather_rows(source, rows, 0, rows.size(), device));
    const TokenizerOutput out = model.forward({}, x, false);
    const Var& codes = out.code.quantized;
    const Topographic steps = topographic(features, x, latents, out.latents, codes, rows.size());
    const Topographic whole = topographic(features, x, latents, codes, codes, rows.size());
    m.topographic_pre = double(steps.pre.to_host()[0]);
    m.topographic_post = double(steps.post.to_host()[0]);
    m.topographic_end_to_end = double(whole.pre.to_host()[0]);
  });
}

}  // namespace

std::vector<int32_t> topographic_sample(const RowSource& source, const Buffer<int32_t>& subset) {
  const int64_t rows = row_count(source, subset);
  const std::vector<int32_t> numbers = subset.empty() ? std::vector<int32_t>() : subset.to_host();
  std::vector<int32_t> sample;
  for (int64_t i = 0; i < std::min(rows, kTopographicRows); ++i) {
    const uint64_t at =
        kernels::permuted_index(0, kernels::kStreamSample, kSampleUse, static_cast<uint64_t>(i),
                                static_cast<uint64_t>(rows));
    sample.push_back(numbers.empty() ? static_cast<int32_t>(at) : numbers[at]);
  }
  std::sort(sample.begin(), sample.end());
  return sample;
}

TokenizerMetrics measure_tokenizer(Tokenizer& model, std::span<const CategoryLayout> layout,
                                   const RowSource& source, const Buffer<int32_t>& subset,
                                   int64_t batch) {
  const int64_t rows = row_count(source, subset), before = model.quantizer().rows_not_finite();
  Totals totals(model, layout);
  for (int64_t first = 0; first < rows; first += batch)
    run_step(model.device(), [&] {
      totals.add_batch(
          gather_rows(source, subset, first, std::min(batch, rows - first), model.device()));
    });
  TokenizerMetrics metrics = totals.metrics(rows);
  measure_distances(model, source, subset, metrics);
  require(
      std::isfinite(metrics.reconstruction_error) && model.quantizer().rows_not_finite() == before,
      ErrorKind::Numeric, "metrics of ", rows, " rows: the model's outputs are not finite; ",
      "their values are too large for it, or it has diverged");
  return metrics;
}

std::optional<StoredUnitsError> in_stored_units(const TokenizerMetrics& metrics,
                                                const Normalizer& normalizer) {
  if (!normalizer.has_numbers()) return {};
  TESSERA_CHECK(static_cast<int64_t>(normalizer.scale.size()) == metrics.features,
                "a normalizer of ", normalizer.scale.size(), " features for metrics of ",
                metrics.features);
  struct Sums {
    double error = 0, variance = 0;
  };
  const auto sums_of = [&](int64_t first, int64_t columns) {
    Sums sums;
    for (auto f = static_cast<size_t>(first); f < static_cast<size_t>(first + columns); ++f) {
      const double variance = 1 / (double(normalizer.scale[f]) * double(normalizer.scale[f]));
      sums.error += metrics.feature_errors[f] * variance;
      sums.variance += variance;
    }
    return sums;
  };
  const Sums all = sums_of(0, metrics.features);
  StoredUnitsError result{.error = all.error / static_cast<double>(metrics.features),
                          .error_by_variance = all.error / all.variance};
  for (const CategoryMetrics& category : metrics.categories) {
    const Sums own = sums_of(category.first, category.features);
    result.category_by_variance.push_back(own.error / own.variance);
  }
  return result;
}

TokenSurvival token_survival(Tokenizer& model, const RowSource& source,
                             const Buffer<int32_t>& subset, int64_t batch) {
  const int64_t rows = row_count(source, subset);
  Quantizer& quantizer = model.quantizer();
  const auto codebooks = static_cast<size_t>(quantizer.table().size());
  std::vector<int64_t> equal(codebooks);
  for (int64_t first = 0; first < rows; first += batch)
    run_step(model.device(), [&] {
      const int64_t count = std::min(batch, rows - first);
      const Var x(gather_rows(source, subset, first, count, model.device()));
      const auto tokens = quantizer.forward({}, model.encode({}, x)).codes;
      const Var decoded = model.decode({}, Var(quantizer.lookup(tokens, count)));
      const auto again = quantizer.forward({}, model.encode({}, decoded)).codes.to_host();
      const std::vector<int32_t> one = tokens.to_host();
      for (size_t i = 0; i < one.size(); ++i) equal[i % codebooks] += one[i] == again[i];
    });
  TokenSurvival survival;
  for (const int64_t count : equal)
    survival.by_codebook.push_back(double(count) / double(std::max<int64_t>(1, rows)));
  survival.share = mean_of(survival.by_codebook);
  return survival;
}

}  // namespace tessera
