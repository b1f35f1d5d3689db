#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tessera/config.h"
#include "tessera/data.h"
#include "tessera/device.h"
#include "tessera/feature_matrix.h"

namespace tessera {

/// A feature that was taken out, and why, with the numbers: "constant: deviation 0, at most 1e-10".
struct RemovedFeature {
  std::string name, reason;
  bool operator==(const RemovedFeature&) const = default;
};

/// Takes out the features whose whole name fits one of `patterns`; * stands for any text.
/// Throws Error: Config for a pattern that fits no feature, Data where none would be left.
/// others  names that patterns may fit besides: features that are not columns
std::vector<RemovedFeature> exclude_features(FeatureMatrix& features,
                                             const std::vector<std::string>& patterns,
                                             const std::vector<std::string>& others = {});
/// The first of the patterns that `name` fits; empty where there is none.
std::string excluding_pattern(const std::vector<std::string>& patterns, const std::string& name);

/// What cleaning does to one feature: x' = min(max(x, low), high), and `fill` where x is NaN.
struct CleanedFeature {
  std::string name;
  float fill = 0, low = 0, high = 0;
  int64_t filled = 0, capped = 0;  ///< values changed among the rows it was fitted to
  bool operator==(const CleanedFeature&) const = default;
};

/// Cleaning as fitted to the training rows; the same numbers serve any other rows.
struct Cleaning {
  std::vector<CleanedFeature> kept;     ///< in the order of the columns
  std::vector<RemovedFeature> removed;  ///< in the order of the columns
  bool operator==(const Cleaning&) const = default;
};

/// Fits the rules, in this order, to `rows` (row numbers) of `features`:
///
///   constant    removed where the deviation (population, NaN ignored) is at most min_deviation, or
///               nothing but rounding of the mean; so is a feature of NaN alone
///   excessive   removed where the variance is above max_variance and deviation / (|mean| + 1e-10)
///               above max_variation
///   missing     NaN becomes the median
///   duplicate   of two features with |r| > duplicate_correlation the one with less information goes
///               (at equality the later one); `first`: the later one. Pairs in order of the columns;
///               what is removed removes nothing more.
///               information = H (Q3 - Q1 + 1e-10) (1 - f), H the entropy in nats of a histogram
///               of min(50, N / 20) bins from least to greatest, f the share of values outside
///               Q1 - 1.5 IQR to Q3 + 1.5 IQR
///   outliers    capped at the two percentiles; at Q1 - m IQR and Q3 + m IQR (iqr); at
///               median +- m MAD (mad: MAD the median of |x - median|; below 1e-10 it counts as
///               max(0.01 |median|, 1e-6))
///
/// Quantiles interpolate linearly between the two nearest values.
/// Throws Error: Config where low_percentile is not below high_percentile, Data where no feature
/// would be left or there are no rows.
Cleaning fit_cleaning(const FeatureMatrix& features, std::span<const int32_t> rows,
                      const CleaningConfig& config, Device device = {});

/// The kept columns, found by name, in the order of `cleaning`, for all rows.
/// Throws Error (Data) naming a feature that is not there.
FeatureMatrix apply_cleaning(const FeatureMatrix& features, const Cleaning& cleaning);

/// One line of JSON as a checkpoint carries it, and back. Throws Error (Data) for anything else.
std::string to_json(const Cleaning& cleaning);
Cleaning cleaning_from_json(const std::string& text, const std::string& source = "cleaning");

/// A normalizer and the features its numbers belong to.
struct FeatureNormalizer {
  std::vector<std::string> names;
  Normalizer numbers;
  bool operator==(const FeatureNormalizer&) const = default;
};

/// Fits `kind` (auto is standard; standard, robust, none) to `rows` of `features`.
/// Throws Error (Config) for unit_range, which is for bytes.
FeatureNormalizer fit_normalizer(const std::string& kind, const FeatureMatrix& features,
                                 std::span<const int32_t> rows);

/// x' = (x - mean[f]) * scale[f], each feature found by name.
/// Throws Error (Data) unless the matrix has exactly the features that it was fitted to.
void normalize(FeatureMatrix& features, const FeatureNormalizer& normalizer);

std::string to_json(const FeatureNormalizer& normalizer);
FeatureNormalizer normalizer_from_json(const std::string& text,
                                       const std::string& source = "normalizer");

}  // namespace tessera
