// Fitting and applying the cleaning of features; rules in tessera/cleaning.h.

#include "tessera/cleaning.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "data/column_statistics.h"
#include "data/feature_columns.h"
#include "data/feature_information.h"
#include "tessera/discovery.h"

namespace tessera {
namespace {

constexpr double kSmallest = 1e-10;  // of what is divided by, as in the rules
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Why a feature is of no use on its own; empty where it is.
std::string uselessness(const ColumnMoments& moments, size_t rows, const CleaningConfig& config) {
  if (moments.count == 0) return fmt::format("missing: NaN in all {} rows", rows);
  if (moments.deviation <= config.min_deviation || !deviates(moments.mean, moments.deviation))
    return fmt::format(
        "constant: deviation {:.3g} about the mean {:.6g}; data.cleaning.min_deviation is {:.3g}",
        moments.deviation, moments.mean, config.min_deviation);
  if (!config.max_variance) return "";
  const double variance = moments.deviation * moments.deviation;
  const double variation = moments.deviation / (std::abs(moments.mean) + kSmallest);
  if (variance <= *config.max_variance || variation <= config.max_variation) return "";
  return fmt::format(
      "excessive: variance {:.3g} and variation {:.3g}; data.cleaning.max_variance is {:.3g}, "
      "max_variation {:.3g}",
      variance, variation, *config.max_variance, config.max_variation);
}

struct Limits {
  double low, high;
};

/// Between which values a column without NaN stays. `quantiles` holds the column, and another after.
Limits outlier_limits(std::span<const float> column, ColumnQuantiles& quantiles,
                      const CleaningConfig& config) {
  if (config.outliers == "percentile")
    return {quantiles.percentile(config.low_percentile),
            quantiles.percentile(config.high_percentile)};
  if (config.outliers == "iqr") {
    const double q1 = quantiles.percentile(25), q3 = quantiles.percentile(75);
    const double margin = config.iqr_multiplier * (q3 - q1);
    return {q1 - margin, q3 + margin};
  }
  if (config.outliers == "mad") {
    const double median = quantiles.median();
    std::vector<float> distances;
    for (const float x : column) distances.push_back(static_cast<float>(std::abs(x - median)));
    quantiles.set(distances);
    double mad = quantiles.median();
    if (mad < kSmallest) mad = std::max(0.01 * std::abs(median), 1e-6);
    return {median - config.mad_multiplier * mad, median + config.mad_multiplier * mad};
  }
  return {-kInfinity, kInfinity};
}

/// Fills the NaN of a column in place and measures what to do to it.
CleanedFeature clean_column(const std::string& name, std::span<float> column, int64_t missing,
                            ColumnQuantiles& quantiles, const CleaningConfig& config) {
  CleanedFeature feature{.name = name, .filled = missing};
  if (missing > 0) {
    std::vector<float> present;
    std::ranges::copy_if(column, std::back_inserter(present), [](float x) { return x == x; });
    quantiles.set(present);
    feature.fill = static_cast<float>(quantiles.median());
    std::ranges::replace_if(
        column, [](float x) { return x != x; }, feature.fill);
    quantiles.set(column);
  } else {
    quantiles.set(column);
    feature.fill = static_cast<float>(quantiles.median());
  }
  const Limits limits = outlier_limits(column, quantiles, config);
  feature.low = static_cast<float>(limits.low);
  feature.high = static_cast<float>(limits.high);
  for (const float x : column) feature.capped += x < feature.low || x > feature.high ? 1 : 0;
  return feature;
}

/// A feature that is of use on its own.
struct Candidate {
  int64_t column = 0;
  CleanedFeature cleaned;
  double information = -1;  // computed when first asked for
};

/// Values of the candidates in `rows`, NaN filled.
std::vector<float> filled_rows(const FeatureMatrix& features, std::span<const int32_t> rows,
                               const std::vector<Candidate>& candidates) {
  std::vector<float> values(rows.size() * candidates.size());
  float* out = values.data();
  for (const int32_t row : rows)
    for (const Candidate& candidate : candidates) {
      const float x = features.values[row * features.cols() + candidate.column];
      *out++ = x == x ? x : candidate.cleaned.fill;
    }
  return values;
}

SquareMatrix candidate_correlation(const FeatureMatrix& features, std::span<const int32_t> rows,
                                   const std::vector<Candidate>& candidates, Device device) {
  const auto count = static_cast<int64_t>(candidates.size());
  const bool untouched =
      static_cast<int64_t>(rows.size()) == features.rows && count == features.cols() &&
      std::ranges::all_of(candidates,
                          [](const Candidate& candidate) { return candidate.cleaned.filled == 0; });
  if (untouched)
    return correlation_matrix({features.values.data(), features.rows, count, count}, device);
  const std::vector<float> values = filled_rows(features, rows, candidates);
  return correlation_matrix({values.data(), static_cast<int64_t>(rows.size()), count, count},
                            device);
}

/// Decides between features that say the same.
class Duplicates {
 public:
  Duplicates(const FeatureMatrix& features, std::span<const int32_t> rows,
             std::vector<Candidate>& candidates, const CleaningConfig& config)
      : features_(features), rows_(rows), candidates_(candidates), config_(config) {}

  /// The reason to remove each candidate; empty: it stays.
  std::vector<std::string> reasons(const SquareMatrix& correlation) {
    const size_t count = candidates_.size();
    std::vector<std::string> removed(count);
    for (size_t i = 0; i < count; ++i)
      for (size_t j = i + 1; j < count && removed[i].empty(); ++j) {
        const double r = std::abs(correlation(static_cast<int64_t>(i), static_cast<int64_t>(j)));
        if (!removed[j].empty() || !(r > config_.duplicate_correlation)) continue;
        const bool by_information = config_.duplicate_choice == "informative";
        const bool drops_first = by_information && information(i) < information(j);
        const size_t gone = drops_first ? i : j, stays = drops_first ? j : i;
        removed[gone] =
            fmt::format("duplicate of {}: |r| = {:.6f}", candidates_[stays].cleaned.name, r);
        if (by_information)
          removed[gone] += fmt::format(", information {:.4g} against {:.4g}", information(gone),
                                       information(stays));
      }
    return removed;
  }

 private:
  double information(size_t i) {
    Candidate& candidate = candidates_[i];
    if (candidate.information < 0) {
      std::vector<float> column;
      for (const int32_t row : rows_) {
        const float x = features_.values[row * features_.cols() + candidate.column];
        column.push_back(x == x ? x : candidate.cleaned.fill);
      }
      candidate.information = feature_information(column);
    }
    return candidate.information;
  }

  const FeatureMatrix& features_;
  std::span<const int32_t> rows_;
  std::vector<Candidate>& candidates_;
  const CleaningConfig& config_;
};

}  // namespace

Cleaning fit_cleaning(const FeatureMatrix& features, std::span<const int32_t> rows,
                      const CleaningConfig& config, Device device) {
  require(config.low_percentile < config.high_percentile, ErrorKind::Config,
          "data.cleaning.low_percentile is ", config.low_percentile, ", high_percentile ",
          config.high_percentile, "; the first must be below the second");
  require(!rows.empty(), ErrorKind::Data, "cleaning: there are no rows to fit it to");
  std::vector<std::string> reasons(features.names.size());
  std::vector<CleanedFeature> cleaned(features.names.size());
  for_columns_in_parallel(
      features.values.data(), features.cols(), rows,
      [&, quantiles = ColumnQuantiles()](int64_t column, std::span<float> values) mutable {
        const ColumnMoments moments = column_moments(values);
        reasons[column] = uselessness(moments, rows.size(), config);
        if (!reasons[column].empty()) return;
        const auto missing = static_cast<int64_t>(rows.size()) - moments.count;
        cleaned[column] = clean_column(features.names[column], values, missing, quantiles, config);
      });
  std::vector<Candidate> candidates;
  for (int64_t column = 0; column < features.cols(); ++column)
    if (reasons[column].empty()) candidates.push_back({column, std::move(cleaned[column])});
  require(!candidates.empty(), ErrorKind::Data, "cleaning: none of the ", features.cols(),
          " features is left, the first is ", features.cols() > 0 ? reasons.front() : "",
          "; see data.cleaning");
  if (config.duplicate_correlation < 1) {
    const std::vector<std::string> duplicates =
        Duplicates(features, rows, candidates, config)
            .reasons(candidate_correlation(features, rows, candidates, device));
    for (size_t i = 0; i < candidates.size(); ++i) reasons[candidates[i].column] = duplicates[i];
  }
  Cleaning result;
  for (Candidate& candidate : candidates)
    if (reasons[candidate.column].empty()) result.kept.push_back(std::move(candidate.cleaned));
  for (size_t i = 0; i < reasons.size(); ++i)
    if (!reasons[i].empty()) result.removed.push_back({features.names[i], reasons[i]});
  return result;
}

FeatureMatrix apply_cleaning(const FeatureMatrix& features, const Cleaning& cleaning) {
  FeatureMatrix result;
  for (const CleanedFeature& feature : cleaning.kept) result.names.push_back(feature.name);
  const std::vector<int64_t> places = columns_named(features, result.names, "cleaning");
  for (const int64_t place : places) result.families.push_back(features.families[place]);
  result.rows = features.rows;
  const size_t cols = places.size();
  std::vector<float> fill, low, high;
  for (const CleanedFeature& feature : cleaning.kept) {
    fill.push_back(feature.fill);
    low.push_back(feature.low);
    high.push_back(feature.high);
  }
  result.values.resize(static_cast<size_t>(features.rows) * cols);
  for (int64_t n = 0; n < features.rows; ++n) {
    const float* row = features.values.data() + n * features.cols();
    float* out = result.values.data() + static_cast<size_t>(n) * cols;
    for (size_t i = 0; i < cols; ++i) out[i] = row[places[i]];
    for (size_t i = 0; i < cols; ++i) {
      const float x = out[i] == out[i] ? out[i] : fill[i];
      out[i] = x < low[i] ? low[i] : x > high[i] ? high[i] : x;
    }
  }
  return result;
}

}  // namespace tessera
