#pragma once

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "tessera/feature_matrix.h"

namespace tessera::testing {

/// Features with known categories: eight uneven blocks, each x = tanh(1.2 u W) + 0.2 noise of a few
/// normal latents u, W with columns of length one; then features of noise alone; columns permuted.
struct Planted {
  FeatureMatrix features;
  std::vector<int> block;  ///< of each column; -1: noise
};

inline Planted planted_features(unsigned seed, int64_t rows = 4000) {
  constexpr int kBlocks[] = {25, 22, 18, 15, 12, 10, 10, 8}, kNoise = 12;
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  std::vector<std::vector<double>> columns;
  std::vector<int> block;
  for (int b = 0; b < 8; ++b) {
    const int latents = 2 + b % 2;
    std::vector<std::vector<double>> u(rows, std::vector<double>(latents));
    for (auto& row : u)
      for (double& value : row) value = normal(generator);
    for (int i = 0; i < kBlocks[b]; ++i) {
      std::vector<double> w(latents), column;
      double length = 0;
      for (double& value : w) {
        value = normal(generator);
        length += value * value;
      }
      for (const auto& row : u) {
        double sum = 0;
        for (int l = 0; l < latents; ++l) sum += row[l] * w[l] / std::sqrt(length);
        column.push_back(std::tanh(1.2 * sum) + 0.2 * normal(generator));
      }
      columns.push_back(column);
      block.push_back(b);
    }
  }
  for (int i = 0; i < kNoise; ++i) {
    columns.emplace_back();
    for (int64_t n = 0; n < rows; ++n) columns.back().push_back(normal(generator));
    block.push_back(-1);
  }
  std::vector<size_t> order(columns.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::shuffle(order.begin(), order.end(), generator);
  Planted planted;
  planted.features.rows = rows;
  for (size_t i = 0; i < order.size(); ++i) {
    planted.features.names.push_back("planted/" + std::to_string(i));
    planted.features.families.push_back("planted");
    planted.block.push_back(block[order[i]]);
  }
  for (int64_t n = 0; n < rows; ++n)
    for (const size_t column : order)
      planted.features.values.push_back(static_cast<float>(columns[column][n]));
  return planted;
}

/// A matrix whose column i, named names[i] ("family/feature"), is columns[i].
inline FeatureMatrix features_of(const std::vector<std::string>& names,
                                 const std::vector<std::vector<float>>& columns) {
  FeatureMatrix features;
  features.names = names;
  for (const std::string& name : names) features.families.push_back(name.substr(0, name.find('/')));
  features.rows = static_cast<int64_t>(columns.front().size());
  for (int64_t n = 0; n < features.rows; ++n)
    for (const auto& column : columns) features.values.push_back(column[n]);
  return features;
}

inline std::vector<int32_t> all_rows(int64_t rows) {
  std::vector<int32_t> numbers(rows);
  for (int64_t n = 0; n < rows; ++n) numbers[n] = static_cast<int32_t>(n);
  return numbers;
}

}  // namespace tessera::testing
