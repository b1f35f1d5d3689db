#include "tessera/category_assignment.h"

#include <algorithm>
#include <cmath>

#include "tessera/nn.h"

namespace tessera::inline TESSERA_PRECISION {
namespace {

int64_t features_of(std::span<const CategoryFamily> families) {
  return families.back().feature_begin + families.back().features;
}
int64_t categories_of(std::span<const CategoryFamily> families) {
  return families.back().category_begin + families.back().categories;
}

/// Calls f(feature, its family, first value of its row within the family) for each feature.
template <class T, class F>
void for_rows(std::span<const CategoryFamily> families, std::span<T> values, F f) {
  const int64_t categories = categories_of(families);
  TESSERA_CHECK(static_cast<int64_t>(values.size()) == features_of(families) * categories,
                "assignment of ", values.size(), " values for ", features_of(families),
                " features and ", categories, " categories");
  for (const CategoryFamily& family : families)
    for (int64_t i = family.feature_begin; i < family.feature_begin + family.features; ++i)
      f(i, family, values.data() + i * categories + family.category_begin);
}

std::vector<real> zeros(std::span<const CategoryFamily> families) {
  return std::vector<real>(static_cast<size_t>(features_of(families) * categories_of(families)));
}

int32_t largest_of(const real* row, int32_t count) {
  return static_cast<int32_t>(std::max_element(row, row + count) - row);
}

}  // namespace

std::vector<real> initial_logits(std::span<const CategoryFamily> families,
                                 std::span<const int32_t> category_of, double confidence) {
  TESSERA_CHECK(static_cast<int64_t>(category_of.size()) == features_of(families),
                "initial_logits: categories of ", category_of.size(), " features for ",
                features_of(families));
  std::vector<real> logits = zeros(families);
  for_rows(families, std::span(logits), [&](int64_t i, const CategoryFamily& family, real* row) {
    std::fill_n(row, family.categories, real(-confidence));
    const int32_t chosen = category_of[static_cast<size_t>(i)];
    if (chosen < 0) return;
    const int32_t local = chosen - family.category_begin;
    require(local >= 0 && local < family.categories, ErrorKind::Data, "feature ", i,
            " is in category ", chosen, ", its family has categories ", family.category_begin,
            " to ", family.category_begin + family.categories - 1);
    row[local] = real(confidence);
  });
  return logits;
}

std::vector<real> random_logits(std::span<const CategoryFamily> families, uint64_t seed,
                                double scale) {
  std::vector<real> logits = zeros(families);
  for (size_t e = 0; e < logits.size(); ++e)
    logits[e] = real(scale) * initial_normal(seed, "assignment/logits", static_cast<int64_t>(e));
  return logits;
}

std::vector<real> soft_assignment(std::span<const CategoryFamily> families,
                                  std::span<const real> logits, double temperature) {
  std::vector<real> soft = zeros(families);
  for_rows(families, logits, [&](int64_t, const CategoryFamily& family, const real* row) {
    const double largest = double(row[largest_of(row, family.categories)]);
    const auto part = [&](int32_t k) { return std::exp((double(row[k]) - largest) / temperature); };
    double sum = 0;
    for (int32_t k = 0; k < family.categories; ++k) sum += part(k);
    real* out = soft.data() + (row - logits.data());
    for (int32_t k = 0; k < family.categories; ++k) out[k] = real(part(k) / sum);
  });
  return soft;
}

std::vector<int32_t> hard_assignment(std::span<const CategoryFamily> families,
                                     std::span<const real> values) {
  std::vector<int32_t> categories;
  for_rows(families, values, [&](int64_t, const CategoryFamily& family, const real* row) {
    categories.push_back(family.category_begin + largest_of(row, family.categories));
  });
  return categories;
}

std::vector<double> category_masses(std::span<const real> assignment, int64_t categories) {
  std::vector<double> masses(static_cast<size_t>(categories));
  for (size_t e = 0; e < assignment.size(); ++e) masses[e % masses.size()] += double(assignment[e]);
  return masses;
}

double normalized_entropy(std::span<const CategoryFamily> families,
                          std::span<const real> assignment) {
  double sum = 0;
  for_rows(families, assignment, [&](int64_t, const CategoryFamily& family, const real* row) {
    if (family.categories < 2) return;
    double entropy = 0;
    for (int32_t k = 0; k < family.categories; ++k)
      if (const double share = double(row[k]); share > 0) entropy -= share * std::log(share);
    sum += entropy / std::log(double(family.categories));
  });
  return sum / static_cast<double>(features_of(families));
}

std::vector<std::vector<int32_t>> active_features(std::span<const CategoryFamily> families,
                                                  std::span<const real> assignment,
                                                  double threshold) {
  const int64_t categories = categories_of(families);
  std::vector<std::vector<int32_t>> active(static_cast<size_t>(categories));
  const auto share = [&](int32_t i, int32_t k) {
    return double(assignment[static_cast<size_t>(i * categories + k)]);
  };
  for (const CategoryFamily& family : families)
    for (int32_t k = family.category_begin; k < family.category_begin + family.categories; ++k) {
      std::vector<int32_t>& features = active[static_cast<size_t>(k)];
      int32_t best = family.feature_begin;
      for (int32_t i = best; i < family.feature_begin + family.features; ++i) {
        if (share(i, k) >= threshold) features.push_back(i);
        if (share(i, k) > share(best, k)) best = i;
      }
      if (features.empty()) features.push_back(best);
    }
  return active;
}

std::optional<int32_t> collapsed_category(std::span<const CategoryFamily> families,
                                          std::span<const int32_t> category_of) {
  for (const CategoryFamily& family : families) {
    const auto members = category_of.subspan(static_cast<size_t>(family.feature_begin),
                                             static_cast<size_t>(family.features));
    const bool has_choice = family.categories > 1 && members.size() > 1;
    if (has_choice && std::count(members.begin(), members.end(), members[0]) == family.features)
      return members[0];
  }
  return std::nullopt;
}

std::vector<real> modularity_matrix(std::span<const double> correlations, int64_t features) {
  const auto at = [=](int64_t i, int64_t j) { return static_cast<size_t>(i * features + j); };
  const auto edge = [&](int64_t i, int64_t j) {
    const double r = std::abs(correlations[at(i, j)]);
    return i == j || !std::isfinite(r) ? 0 : r;
  };
  std::vector<double> degree(static_cast<size_t>(features));
  double total = 0;
  for (int64_t i = 0; i < features; ++i) {
    for (int64_t j = 0; j < features; ++j) degree[static_cast<size_t>(i)] += edge(i, j);
    total += degree[static_cast<size_t>(i)];
  }
  std::vector<real> matrix(correlations.size());
  if (!(total > 0)) return matrix;
  for (int64_t i = 0; i < features; ++i)
    for (int64_t j = 0; j < features; ++j) {
      const double chance = degree[static_cast<size_t>(i)] * degree[static_cast<size_t>(j)] / total;
      matrix[at(i, j)] = real((edge(i, j) - chance) / total);
    }
  return matrix;
}

std::vector<double> strongest_correlations(std::span<const double> correlations, int64_t features) {
  std::vector<double> strongest(static_cast<size_t>(features * features));
  for (int64_t i = 0; i < features; ++i)
    for (int64_t j = 0; j < features; ++j)
      for (const int64_t row : {i, i + features})
        for (const int64_t column : {j, j + features}) {
          double& most = strongest[static_cast<size_t>(i * features + j)];
          const double r = std::abs(correlations[static_cast<size_t>(row * 2 * features + column)]);
          if (r > most) most = r;
        }
  return strongest;
}

}  // namespace tessera::inline TESSERA_PRECISION
