#include "tessera/level_sizes.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tessera/error.h"

namespace tessera {
namespace {

constexpr size_t kDefaultLevels = 3;

int64_t in_fours(double value) { return 4 * static_cast<int64_t>(std::ceil(value / 4)); }

int64_t inferred_codebook(int64_t features, size_t level, const LevelRules& rules) {
  const double base = std::floor(7 * std::log2(static_cast<double>(features)));
  const double samples = static_cast<double>(rules.samples);
  const double least =
      rules.samples > 1000
          ? std::min(28.0, std::max(5.0, std::floor(4.8 * std::sqrt(samples / 1000))))
          : 5.0;
  const double first = std::max(4 * std::floor(base / 4), least);
  if (level == 0 || rules.uniform_codebooks) return static_cast<int64_t>(first);
  return static_cast<int64_t>(
      std::max(6.0, std::floor(base * std::pow(0.5, static_cast<double>(level)))));
}

int64_t inferred_dim(int64_t features, size_t level, int64_t codebook, int64_t previous,
                     const LevelRules& rules) {
  const double n = static_cast<double>(features);
  if (rules.ratios) return std::max<int64_t>(4, in_fours(n * (*rules.ratios)[level]));
  const double grown = n * (1 + 0.8 * std::pow(n / 100, 0.7)) *
                       std::pow(0.5, static_cast<double>(level)) *
                       std::max(1.0, std::log2(static_cast<double>(codebook)) / 20);
  int64_t dim = in_fours(grown);
  if (level == 0) {
    const int64_t least =
        in_fours(12 * std::log10(static_cast<double>(std::max<int64_t>(1, rules.samples))));
    return std::max(dim, std::min<int64_t>(64, std::max<int64_t>(8, least)));
  }
  dim = std::max<int64_t>(8, dim);
  return dim < previous ? dim : std::max<int64_t>(4, std::max(previous - 4, previous / 2));
}

}  // namespace

std::vector<LevelSize> level_sizes(const std::string& category, int64_t features,
                                   const std::vector<LevelSize>& given, const LevelRules& rules) {
  TESSERA_CHECK(features > 0, "level_sizes: category ", category, " has no features");
  const size_t levels = !given.empty() ? given.size()
                        : rules.ratios ? rules.ratios->size()
                                       : kDefaultLevels;
  require(!rules.ratios || rules.ratios->size() == levels, ErrorKind::Config, "category ", category,
          ": ", rules.ratios ? rules.ratios->size() : 0, " compression ratios for ", levels,
          " levels; give one for each");
  std::vector<LevelSize> sizes;
  for (size_t l = 0; l < levels; ++l) {
    LevelSize size = given.empty() ? LevelSize{} : given[l];
    if (!size.codebook_size) size.codebook_size = inferred_codebook(features, l, rules);
    if (!size.code_dim)
      size.code_dim =
          inferred_dim(features, l, *size.codebook_size, l > 0 ? *sizes.back().code_dim : 0, rules);
    require(*size.code_dim >= 1 && *size.codebook_size >= 1, ErrorKind::Config, "category ",
            category, ", level ", l, ": ", *size.codebook_size, " codes of ", *size.code_dim,
            " dimensions; both are at least 1");
    sizes.push_back(size);
  }
  return sizes;
}

namespace {

using Ratios = std::array<double, 3>;

/// Covariance of the columns, [features, features].
std::vector<double> covariance(std::span<const float> values, int64_t rows, int64_t features) {
  std::vector<double> mean(static_cast<size_t>(features)), result(mean.size() * mean.size());
  for (int64_t n = 0; n < rows; ++n)
    for (int64_t i = 0; i < features; ++i) mean[i] += values[n * features + i] / double(rows);
  std::vector<double> centred(mean.size());
  for (int64_t n = 0; n < rows; ++n) {
    for (int64_t i = 0; i < features; ++i) centred[i] = values[n * features + i] - mean[i];
    for (int64_t i = 0; i < features; ++i)
      for (int64_t j = 0; j <= i; ++j) result[i * features + j] += centred[i] * centred[j];
  }
  for (int64_t i = 0; i < features; ++i)
    for (int64_t j = 0; j <= i; ++j)
      result[j * features + i] = result[i * features + j] /= double(std::max<int64_t>(1, rows));
  return result;
}

/// Share of the trace in the `count` greatest eigenvalues, by power iteration with deflation.
double leading_share(std::vector<double> matrix, int64_t size, int64_t count) {
  double trace = 0, taken = 0;
  for (int64_t i = 0; i < size; ++i) trace += matrix[i * size + i];
  if (!(trace > 0)) return 0.5;
  for (int64_t c = 0; c < count; ++c) {
    std::vector<double> v(static_cast<size_t>(size)), next(v.size());
    for (int64_t i = 0; i < size; ++i)
      v[i] = 1.0 + 0.01 * static_cast<double>((i * 37 + c * 11) % 17);
    double value = 0;
    for (int iteration = 0; iteration < 200; ++iteration) {
      for (int64_t i = 0; i < size; ++i)
        next[i] = std::inner_product(v.begin(), v.end(), matrix.begin() + i * size, 0.0);
      value = std::sqrt(std::inner_product(next.begin(), next.end(), next.begin(), 0.0));
      if (!(value > 1e-300)) break;
      for (int64_t i = 0; i < size; ++i) v[i] = next[i] / value;
    }
    if (!(value > 1e-300)) break;
    taken += value;
    for (int64_t i = 0; i < size; ++i)
      for (int64_t j = 0; j < size; ++j) matrix[i * size + j] -= value * v[i] * v[j];
  }
  return std::min(1.0, taken / trace);
}

double mean_correlation(const std::vector<double>& covariance, int64_t size) {
  double sum = 0;
  for (int64_t i = 0; i < size; ++i)
    for (int64_t j = 0; j < i; ++j) {
      const double norm = std::sqrt(covariance[i * size + i]) * std::sqrt(covariance[j * size + j]);
      sum += norm > 0 ? std::abs(covariance[i * size + j]) / norm : 0;
    }
  return size < 2 ? 0 : 2 * sum / (double(size) * double(size - 1));
}

Ratios graded(double value, double high, double middle, const std::array<Ratios, 3>& grades) {
  return value > high ? grades[0] : value > middle ? grades[1] : grades[2];
}

}  // namespace

std::array<double, 3> automatic_ratios(std::span<const float> values, int64_t rows,
                                       int64_t features, RatioStrategy strategy) {
  TESSERA_CHECK(static_cast<int64_t>(values.size()) == rows * features,
                "automatic_ratios: ", values.size(), " values for ", rows, " x ", features);
  const std::vector<double> spread = covariance(values, rows, features);
  std::vector<double> variances;
  for (int64_t i = 0; i < features; ++i) variances.push_back(spread[i * features + i]);
  std::sort(variances.begin(), variances.end());
  const size_t middle = variances.size() / 2;
  const double median = variances.size() % 2 == 1 ? variances[middle]
                                                  : (variances[middle - 1] + variances[middle]) / 2;
  const double v = std::clamp(median, 0.0, 1.0);
  const double m = std::log10(static_cast<double>(features) + 1) / std::log10(101.0);
  const double i =
      features < 2 ? 0.5 : leading_share(spread, features, std::min<int64_t>(5, features));
  const double c = mean_correlation(spread, features);
  const Ratios by_variance =
      graded(v, 0.7, 0.4, {{{0.25, 0.75, 2.0}, {0.4, 1.0, 1.8}, {0.5, 1.0, 1.5}}});
  const Ratios by_size = graded(m, 0.8, 0.5, {{{0.3, 0.8, 1.5}, {0.4, 1.0, 1.8}, {0.5, 1.2, 2.0}}});
  const Ratios by_information =
      graded((i + c) / 2, 0.7, 0.4, {{{0.3, 0.7, 1.2}, {0.5, 1.0, 1.5}, {0.6, 1.5, 2.5}}});
  switch (strategy) {
    case RatioStrategy::Variance:
      return by_variance;
    case RatioStrategy::Dimensionality:
      return by_size;
    case RatioStrategy::Information:
      return by_information;
    case RatioStrategy::Balanced:
      break;
  }
  double weights[] = {v, m, 1 - i};
  const double sum = weights[0] + weights[1] + weights[2];
  Ratios result;
  for (size_t l = 0; l < result.size(); ++l) {
    const double mixed =
        (weights[0] * by_variance[l] + weights[1] * by_size[l] + weights[2] * by_information[l]) /
        sum;
    result[l] = std::round(mixed * 100) / 100;
  }
  return result;
}

}  // namespace tessera
