// How stored numbers become the numbers a model sees.

#include <algorithm>
#include <cmath>

#include "data/column_statistics.h"
#include "data/feature_columns.h"
#include "tessera/cleaning.h"
#include "tessera/data.h"

namespace tessera {
namespace {

constexpr double kMadOfNormal = 1.4826;  // deviation / median absolute deviation of normal numbers

/// Centre and scale of one column for the kind standard or robust.
void fit_column(const std::string& kind, std::span<const float> column, ColumnQuantiles& quantiles,
                Normalizer& result) {
  const ColumnMoments moments = column_moments(column);
  double centre = moments.mean, deviation = moments.deviation;
  if (kind == "robust") {
    quantiles.set(column);
    centre = quantiles.median();
    std::vector<float> distances;
    for (const float value : column)
      distances.push_back(std::abs(value - static_cast<float>(centre)));
    quantiles.set(distances);
    deviation = kMadOfNormal * quantiles.median();
  }
  result.mean.push_back(static_cast<float>(centre));
  result.scale.push_back(deviates(centre, deviation) ? static_cast<float>(1 / deviation) : 1.0f);
}

}  // namespace

void Normalizer::undo(std::vector<float>& values, int64_t cols) const {
  if (!has_numbers()) return;
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t f = i % static_cast<size_t>(cols);
    values[i] = values[i] / scale[f] + mean[f];
  }
}

Normalizer fit_normalizer(const std::string& kind, const HostRows& rows,
                          const std::vector<int32_t>& subset) {
  const bool bytes = rows.values.empty();
  if (kind == "auto") return {bytes ? "unit_range" : "none", {}, {}};
  require(bytes || kind != "unit_range", ErrorKind::Config,
          "data.normalization unit_range divides bytes by 255, ", rows.where,
          " holds other numbers; use none, standard or robust");
  Normalizer result{kind, {}, {}};
  if (!result.has_numbers()) return result;
  ColumnQuantiles quantiles;
  const auto fit = [&](int64_t, std::span<const float> column) {
    fit_column(kind, column, quantiles, result);
  };
  if (bytes)
    for_columns(rows.bytes.data(), rows.cols, subset, fit);
  else
    for_columns(rows.values.data(), rows.cols, subset, fit);
  return result;
}

FeatureNormalizer fit_normalizer(const std::string& kind, const FeatureMatrix& features,
                                 std::span<const int32_t> rows) {
  require(kind != "unit_range", ErrorKind::Config,
          "data.normalization unit_range divides bytes by 255, features are other numbers; use "
          "standard, robust or none");
  require(!rows.empty(), ErrorKind::Data, "normalization: there are no rows to fit it to");
  FeatureNormalizer result{features.names, {kind == "auto" ? "standard" : kind, {}, {}}};
  if (!result.numbers.has_numbers()) return result;
  ColumnQuantiles quantiles;
  for_columns(features.values.data(), features.cols(), rows,
              [&](int64_t column, std::span<const float> values) {
                require(
                    std::ranges::none_of(values, [](float x) { return x != x; }), ErrorKind::Data,
                    "feature ", features.names[column],
                    ": holds NaN, which cannot be normalised; let data.cleaning.enabled fill them");
                fit_column(result.numbers.kind, values, quantiles, result.numbers);
              });
  return result;
}

void normalize(FeatureMatrix& features, const FeatureNormalizer& normalizer) {
  const std::vector<int64_t> places = columns_named(features, normalizer.names, "normalization");
  require(features.names.size() == places.size(), ErrorKind::Data,
          "normalization: it was fitted to ", places.size(), " features, there are ",
          features.names.size(), "; give the same ones");
  if (!normalizer.numbers.has_numbers()) return;
  std::vector<float> mean(places.size()), scale(places.size());
  for (size_t i = 0; i < places.size(); ++i) {
    mean[places[i]] = normalizer.numbers.mean[i];
    scale[places[i]] = normalizer.numbers.scale[i];
  }
  float* row = features.values.data();
  for (int64_t n = 0; n < features.rows; ++n, row += places.size())
    for (size_t i = 0; i < places.size(); ++i) row[i] = (row[i] - mean[i]) * scale[i];
}

}  // namespace tessera
