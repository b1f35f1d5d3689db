// What a report says of a model on rows: numbers, distances of pairs, similarity of codebooks.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tessera/metric_definitions.h"
#include "tessera/report/report_run.h"
#include "tessera/step.h"
#include "tessera/tokenizer_metrics.h"

namespace tessera {
namespace {

using kernels::VqGroup;

constexpr int64_t kBatch = 1024;
/// Pairs that are drawn as dots: more cover each other.
constexpr int64_t kPairs = 1000;

void add_number(TokenizerReport& report, const std::string& name, const std::string& value) {
  const MetricDefinition* known = find_metric(name);
  TESSERA_CHECK(known != nullptr, name, " is a number without a definition");
  report.numbers.push_back({name, value, std::string(known->text)});
}

void add_numbers(TokenizerReport& report, const TokenizerMetrics& m, const Normalizer& normalizer,
                 const TokenSurvival& survival) {
  const auto number = [](double value) { return fmt::format("{:.6g}", value); };
  add_number(report, "reconstruction_error", number(m.reconstruction_error));
  if (normalizer.kind == "unit_range")
    add_number(report, "quality", number(1 - m.reconstruction_error));
  if (const auto stored = in_stored_units(m, normalizer)) {
    add_number(report, "error_stored_units", number(stored->error));
    add_number(report, "error_by_variance", number(stored->error_by_variance));
  }
  add_number(report, "utilization", number(m.utilization));
  add_number(report, "perplexity", number(m.perplexity));
  add_number(report, "tokens_used", fmt::format("{}", m.tokens_used));
  add_number(report, "tokens_total", fmt::format("{}", m.tokens_total));
  add_number(report, "dead_codes", fmt::format("{}", m.dead_codes));
  add_number(report, "token_survival", number(survival.share));
  if (m.topographic_rows < 3) return;  // distances of fewer say nothing
  add_number(report, "topographic_pre", number(m.topographic_pre));
  add_number(report, "topographic_post", number(m.topographic_post));
  add_number(report, "topographic_end_to_end", number(m.topographic_end_to_end));
}

void add_categories(TokenizerReport& report, const TokenizerMetrics& m,
                    std::span<const VqGroup> codebooks) {
  size_t q = 0;
  for (const CategoryMetrics& measured : m.categories) {
    ReportCategory category{.name = measured.name, .error = measured.reconstruction_error};
    for (int64_t i = 0; i < measured.features; ++i) category.features.push_back(measured.first + i);
    for (size_t l = 0; l < measured.levels.size(); ++l, ++q) {
      const auto first = m.code_counts.begin() + codebooks[q].code_begin;
      ReportLevel level{.counts = {first, first + codebooks[q].codebook_size}};
      if (!measured.partial_error.empty()) level.error = measured.partial_error[l];
      category.levels.push_back(std::move(level));
    }
    report.categories.push_back(std::move(category));
  }
}

/// Rows in host memory.
struct HostMatrix {
  std::vector<float> values;
  int64_t cols = 0;

  /// |a - b| over columns [begin, begin + count).
  double distance(int64_t a, int64_t b, int64_t begin, int64_t count) const {
    double sum = 0;
    for (int64_t c = begin; c < begin + count; ++c) {
      const double step =
          double(values[size_t(a * cols + c)]) - double(values[size_t(b * cols + c)]);
      sum += step * step;
    }
    return std::sqrt(sum);
  }
  double mean_distance(int64_t a, int64_t b, std::span<const VqGroup> codebooks) const {
    double sum = 0;
    for (const VqGroup& codebook : codebooks)
      sum += distance(a, b, codebook.latent_begin, codebook.dim);
    return sum / double(codebooks.size());
  }
};

struct Pair {
  int64_t first, second;
};

/// Up to kPairs of the pairs of `rows` rows, spread evenly over all of them; each once.
std::vector<Pair> drawn_pairs(int64_t rows) {
  const int64_t all = rows * (rows - 1) / 2, drawn = std::min(all, kPairs);
  std::vector<Pair> pairs;
  int64_t first = 0, before = 0;  // pairs whose first row comes before `first`
  for (int64_t i = 0; i < drawn; ++i) {
    const int64_t pair = i * all / drawn;
    while (pair >= before + rows - 1 - first) before += rows - 1 - first++;
    pairs.push_back({first, first + 1 + pair - before});
  }
  return pairs;
}

ReportDistances distances_of(Tokenizer& model, const TokenizerMetrics& m, const Dataset& set,
                             const Buffer<int32_t>& subset) {
  const std::vector<int32_t> sample = topographic_sample(set.source(), subset);
  const auto rows = Buffer<int32_t>::from_host(sample, model.device());
  HostMatrix inputs, latents, codes;
  run_step(model.device(), [&] {
    const Var x(gather_rows(set.source(), rows, 0, rows.size(), model.device()));
    const TokenizerOutput out = model.forward({}, x, false);
    inputs = {x.value().to_host(), x.value().cols()};
    latents = {out.latents.value().to_host(), out.latents.value().cols()};
    codes = {out.code.quantized.value().to_host(), latents.cols};
  });
  ReportDistances result{.rows = m.topographic_rows,
                         .inputs = {},
                         .latents = {},
                         .codes = {},
                         .pre = m.topographic_pre,
                         .post = m.topographic_post,
                         .end_to_end = m.topographic_end_to_end};
  const std::span<const VqGroup> codebooks = model.quantizer().table().groups();
  for (const Pair& pair : drawn_pairs(static_cast<int64_t>(sample.size()))) {
    result.inputs.push_back(inputs.distance(pair.first, pair.second, 0, inputs.cols));
    result.latents.push_back(latents.mean_distance(pair.first, pair.second, codebooks));
    result.codes.push_back(codes.mean_distance(pair.first, pair.second, codebooks));
  }
  return result;
}

/// Cosines between the mean codes of codebooks; NaN where one of them is 0.
ReportMatrix centroid_similarity(Tokenizer& model) {
  const std::span<const VqGroup> codebooks = model.quantizer().table().groups();
  const std::vector<float> values = model.quantizer().codebooks().to_host();
  std::vector<std::vector<double>> centroids;
  for (const VqGroup& codebook : codebooks) {
    std::vector<double>& mean = centroids.emplace_back(size_t(codebook.dim));
    for (int64_t k = 0; k < codebook.codebook_size; ++k)
      for (int64_t d = 0; d < codebook.dim; ++d)
        mean[size_t(d)] += double(values[size_t(codebook.codebook_begin + k * codebook.dim + d)]);
  }
  const auto product = [](const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (size_t d = 0; d < std::min(a.size(), b.size()); ++d) sum += a[d] * b[d];
    return sum;
  };
  ReportMatrix matrix{
      .title = "Cosine of centroids",
      .definition =
          "cosine of the mean codes of two codebooks, the shorter one filled with "
          "zeros. Each codebook has coordinates of its own: codebooks that have nothing to do with "
          "each "
          "other are near 0 where coordinates are many, and anywhere where they are few.",
      .values = {static_cast<int64_t>(codebooks.size()), {}}};
  for (const std::vector<double>& a : centroids)
    for (const std::vector<double>& b : centroids) {
      const double size = std::sqrt(product(a, a) * product(b, b));
      matrix.values.values.push_back(size > 0 ? product(a, b) / size
                                              : std::numeric_limits<double>::quiet_NaN());
    }
  return matrix;
}

}  // namespace

void add_measurements(TokenizerReport& report, Tokenizer& model,
                      std::span<const CategoryLayout> layout, const Normalizer& normalizer,
                      const Dataset& set, const Buffer<int32_t>& subset) {
  const TokenizerMetrics metrics = measure_tokenizer(model, layout, set.source(), subset, kBatch);
  const VqTable& codebooks = model.quantizer().table();
  add_categories(report, metrics, codebooks.groups());
  add_numbers(report, metrics, normalizer, token_survival(model, set.source(), subset, kBatch));
  if (metrics.topographic_rows >= 3) report.distances = distances_of(model, metrics, set, subset);
  if (codebooks.size() > 1) report.similarities.push_back(centroid_similarity(model));
}

}  // namespace tessera
