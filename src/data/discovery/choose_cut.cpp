#include "data/discovery/choose_cut.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tessera/error.h"
#include "tessera/kernels/philox.h"

namespace tessera::discovery {
namespace {

/// The first candidate with the highest score.
int64_t highest(const std::vector<CutScore>& scores, double CutScore::*score) {
  return std::ranges::max_element(scores, {}, score)->clusters;
}

/// Where the dispersion bends most: the largest second difference in size. Fewer than three
/// candidates have none, then the first.
int64_t elbow(const std::vector<CutScore>& scores) {
  double largest = -1;
  int64_t clusters = scores.front().clusters;
  for (size_t i = 1; i + 1 < scores.size(); ++i) {
    const double bend =
        std::abs(scores[i - 1].dispersion - 2 * scores[i].dispersion + scores[i + 1].dispersion);
    if (bend > largest) {
      largest = bend;
      clusters = scores[i].clusters;
    }
  }
  return clusters;
}

double log_dispersion(const CutScore& score) {
  return std::log(std::max(score.dispersion, std::numeric_limits<double>::min()));
}

/// Correlations of independent uniform columns: what features without structure look like. After
/// standardising, the range of a feature is of no consequence.
SquareMatrix reference_correlation(int64_t rows, int64_t cols, int64_t reference, uint64_t seed,
                                   Device device) {
  std::vector<float> values(static_cast<size_t>(rows * cols));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = kernels::random_uniform(seed, kernels::kStreamGapReferences,
                                        static_cast<uint64_t>(reference), i);
  return correlation_matrix({values.data(), rows, cols, cols}, device);
}

/// Source: Tibshirani, Walther and Hastie 2001, "Estimating the number of clusters in a data set via
/// the gap statistic", section 4.
int64_t by_gap(const ChosenCut& cut, const SquareMatrix& correlation, int64_t rows,
               const CutRange& range, const CategoriesConfig& config, uint64_t seed,
               Device device) {
  const size_t candidates = cut.scores.size();
  std::vector<double> sums(candidates), squares(candidates);
  for (int64_t reference = 0; reference < config.gap_references; ++reference) {
    const SquareMatrix random =
        reference_correlation(rows, correlation.size, reference, seed, device);
    const SquareMatrix distances = feature_distances(random, config.distance, rows);
    const std::vector<CutScore> scores = score_cuts(link_features(distances, config.linkage),
                                                    random, distances, range.least, range.most);
    for (size_t i = 0; i < candidates; ++i) {
      const double value = log_dispersion(scores[i]);
      sums[i] += value;
      squares[i] += value * value;
    }
  }
  const double count = static_cast<double>(config.gap_references);
  std::vector<double> gaps(candidates), errors(candidates);
  for (size_t i = 0; i < candidates; ++i) {
    const double mean = sums[i] / count;
    gaps[i] = mean - log_dispersion(cut.scores[i]);
    errors[i] = std::sqrt(std::max(0.0, squares[i] / count - mean * mean) * (1 + 1 / count));
  }
  for (size_t i = 0; i + 1 < candidates; ++i)
    if (gaps[i] >= gaps[i + 1] - errors[i + 1]) return cut.scores[i].clusters;
  return cut.scores.back().clusters;
}

}  // namespace

ChosenCut choose_cut(const SquareMatrix& correlation, int64_t rows, const CutRange& range,
                     const CategoriesConfig& config, uint64_t seed, Device device) {
  const SquareMatrix distances = feature_distances(correlation, config.distance, rows);
  ChosenCut cut;
  cut.tree = link_features(distances, config.linkage);
  cut.clusters = range.least;
  if (range.least == range.most) return cut;
  cut.scores = score_cuts(cut.tree, correlation, distances, range.least, range.most);
  if (config.k_selection == "modularity")
    cut.clusters = highest(cut.scores, &CutScore::modularity);
  else if (config.k_selection == "silhouette")
    cut.clusters = highest(cut.scores, &CutScore::silhouette);
  else if (config.k_selection == "elbow")
    cut.clusters = elbow(cut.scores);
  else
    cut.clusters = by_gap(cut, correlation, rows, range, config, seed, device);
  return cut;
}

int64_t dissolve_small(std::vector<int32_t>& labels, const SquareMatrix& distances,
                       int64_t min_features) {
  std::vector<int64_t> counts(std::ranges::max(labels) + 1);
  for (const int32_t label : labels)
    if (label >= 0) ++counts[label];
  std::vector<char> stays;
  for (const int64_t count : counts) stays.push_back(count >= min_features);
  if (std::ranges::find(stays, 1) == stays.end())
    stays[std::ranges::max_element(counts) - counts.begin()] = 1;
  // All means are over the clusters as they were cut: no order in which features move.
  int64_t moved = 0;
  const std::vector<int32_t> before = labels;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (before[i] >= 0 && stays[before[i]]) continue;
    std::vector<double> sums(counts.size());
    for (size_t j = 0; j < labels.size(); ++j)
      if (before[j] >= 0)
        sums[before[j]] += distances(static_cast<int64_t>(i), static_cast<int64_t>(j));
    double least = std::numeric_limits<double>::infinity();
    for (size_t c = 0; c < counts.size(); ++c) {
      const double mean = sums[c] / static_cast<double>(counts[c]);
      if (stays[c] && mean < least) {
        least = mean;
        labels[i] = static_cast<int32_t>(c);
      }
    }
    ++moved;
  }
  return moved;
}

}  // namespace tessera::discovery
