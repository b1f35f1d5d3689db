#include <algorithm>
#include <cmath>

#include "tessera/discovery.h"

namespace tessera {
namespace {

double mean(double sum, int64_t count) { return count > 0 ? sum / static_cast<double>(count) : 0; }

/// Sums of |r| between the features of categories, over ordered pairs of different features.
std::vector<double> pair_sums(const std::vector<int64_t>& category_of, int64_t categories,
                              const SquareMatrix& correlation) {
  std::vector<double> sums(static_cast<size_t>(categories * categories));
  for (int64_t i = 0; i < correlation.size; ++i)
    for (int64_t j = 0; j < correlation.size; ++j)
      if (i != j) sums[category_of[i] * categories + category_of[j]] += std::abs(correlation(i, j));
  return sums;
}

}  // namespace

Separation separation_of(const std::vector<Category>& categories, const SquareMatrix& correlation) {
  const auto count = static_cast<int64_t>(categories.size());
  std::vector<int64_t> category_of(correlation.size);
  for (int64_t c = 0; c < count; ++c)
    for (const int64_t i : categories[c].features) category_of[i] = c;
  const std::vector<double> sums = pair_sums(category_of, count, correlation);
  const auto size_of = [&](int64_t c) {
    return static_cast<int64_t>(categories[c].features.size());
  };
  Separation result;
  for (int64_t c = 0; c < count; ++c) {
    const int64_t size = size_of(c);
    CategorySeparation own{.name = categories[c].name, .features = size};
    if (size > 1) own.within = mean(sums[c * count + c], size * (size - 1));
    double between = 0;
    for (int64_t other = 0; other < count; ++other) {
      if (other == c) continue;
      between += sums[c * count + other];
      const double pair = mean(sums[c * count + other], size * size_of(other));
      if (other > c && (result.first < 0 || pair > result.worst)) {
        result.first = c;
        result.second = other;
        result.worst = pair;
      }
    }
    own.between = mean(between, size * (correlation.size - size));
    for (const int64_t i : categories[c].features)
      for (int64_t j = 0; j < correlation.size; ++j)
        if (category_of[j] != c && (own.outside < 0 || std::abs(correlation(i, j)) > own.worst)) {
          own.inside = i;
          own.outside = j;
          own.worst = std::abs(correlation(i, j));
        }
    result.within += own.within * static_cast<double>(size);
    result.between += own.between * static_cast<double>(size);
    result.categories.push_back(own);
  }
  result.within = mean(result.within, correlation.size);
  result.between = mean(result.between, correlation.size);
  return result;
}

}  // namespace tessera
