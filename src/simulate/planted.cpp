// Data with known categories; formulas in tessera/simulate.h.

#include <algorithm>
#include <cmath>

#include "data/random_draws.h"
#include "tessera/kernels/permutation.h"
#include "tessera/kernels/portable_math.h"
#include "tessera/kernels/scalar_math.h"
#include "tessera/simulate.h"

namespace tessera {
namespace {

constexpr int kBlockSizes[] = {25, 22, 18, 15, 12, 10, 10, 8};
constexpr int kNuisance = 12;
constexpr double kNoise = 0.2;
constexpr double kPi = 3.14159265358979323846;

/// What one column is made of: a unit vector over the factors of its block.
struct Column {
  int32_t block = -1;  // -1: noise alone
  bool cosine = false;
  int first_factor = 0;
  std::vector<double> weights;
};

/// Columns in the order of the blocks, noise last.
std::vector<Column> draw_columns(const PlantedOptions& options) {
  RandomDraws draw(options.seed, kernels::kStreamPlanted, 0);
  std::vector<Column> columns;
  int first_factor = 0;
  for (int32_t block = 0; block < static_cast<int32_t>(std::size(kBlockSizes)); ++block) {
    const int factors = 2 + block % 2;
    for (int i = 0; i < kBlockSizes[block]; ++i) {
      Column column = {block, options.even && i % 2 == 1, first_factor, {}};
      double squares = 0;
      for (int m = 0; m < factors; ++m) {
        column.weights.push_back(draw.normal());
        squares += column.weights.back() * column.weights.back();
      }
      for (double& weight : column.weights) weight /= std::sqrt(squares);
      columns.push_back(std::move(column));
    }
    first_factor += factors;
  }
  columns.resize(columns.size() + kNuisance);
  return columns;
}

double clean_value(const Column& column, const std::vector<double>& factors) {
  double sum = 0;
  for (size_t m = 0; m < column.weights.size(); ++m)
    sum += column.weights[m] * factors[static_cast<size_t>(column.first_factor) + m];
  return column.cosine ? math::portable_cos_turns(1.8 * sum / (2 * kPi))
                       : static_cast<double>(math::tanh(static_cast<float>(1.2 * sum)));
}

/// Every column to mean 0 and population deviation 1.
void standardize(std::vector<float>& values, int64_t rows, int64_t cols) {
  for (int64_t c = 0; c < cols; ++c) {
    const auto at = [&](int64_t n) -> float& { return values[static_cast<size_t>(n * cols + c)]; };
    double sum = 0, squares = 0;
    for (int64_t n = 0; n < rows; ++n) sum += static_cast<double>(at(n));
    const double mean = sum / static_cast<double>(rows);
    for (int64_t n = 0; n < rows; ++n) {
      const double centred = static_cast<double>(at(n)) - mean;
      squares += centred * centred;
    }
    const double deviation = std::sqrt(squares / static_cast<double>(rows));
    const double scale = deviation > 0 ? 1 / deviation : 1;
    for (int64_t n = 0; n < rows; ++n)
      at(n) = static_cast<float>((static_cast<double>(at(n)) - mean) * scale);
  }
}

}  // namespace

PlantedData planted_data(const PlantedOptions& options) {
  std::vector<Column> ordered = draw_columns(options), columns;
  for (size_t i = 0; i < ordered.size(); ++i)
    columns.push_back(ordered[kernels::permuted_index(options.seed, kernels::kStreamPlanted, 0, i,
                                                      ordered.size())]);
  int factor_count = 0;
  for (const Column& column : columns)
    factor_count =
        std::max(factor_count, column.first_factor + static_cast<int>(column.weights.size()));
  PlantedData data;
  FeatureFamily family = {"planted", 0, {}};
  for (size_t i = 0; i < columns.size(); ++i) {
    family.features.push_back("planted_" + std::to_string(i));
    data.block.push_back(columns[i].block);
    data.cosine.push_back(columns[i].cosine);
  }
  data.layout.rows = data.values.rows = options.samples;
  data.layout.families = {family};
  std::vector<float> values;
  values.reserve(static_cast<size_t>(options.samples * family.cols()));
  std::vector<double> factors(static_cast<size_t>(factor_count));
  for (int64_t n = 0; n < options.samples; ++n) {
    RandomDraws draw(options.seed, kernels::kStreamPlanted, static_cast<uint64_t>(n) + 1);
    for (double& factor : factors) factor = draw.normal();
    for (const Column& column : columns) {
      const double noise = draw.normal();
      values.push_back(static_cast<float>(
          column.block < 0 ? noise : clean_value(column, factors) + kNoise * noise));
    }
  }
  standardize(values, options.samples, family.cols());
  data.values.families.push_back(std::move(values));
  return data;
}

}  // namespace tessera
