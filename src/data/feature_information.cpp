#include "data/feature_information.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "data/column_statistics.h"

namespace tessera {
namespace {

constexpr size_t kMaxBins = 50, kRowsPerBin = 20;
constexpr double kAlmostZero = 1e-10, kWhisker = 1.5;

/// In nats, of a histogram from least to greatest value.
double histogram_entropy(std::span<const float> column) {
  const size_t bins = std::clamp<size_t>(column.size() / kRowsPerBin, 1, kMaxBins);
  const auto [least, greatest] = std::ranges::minmax(column);
  const double width = (double(greatest) - double(least)) / static_cast<double>(bins);
  std::vector<int64_t> counts(bins);
  for (const float x : column) {
    const double place = width > 0 ? (double(x) - double(least)) / width : 0;
    ++counts[std::min(bins - 1, static_cast<size_t>(place))];
  }
  double entropy = 0;
  for (const int64_t count : counts) {
    const double share =
        static_cast<double>(count) / (static_cast<double>(column.size()) + kAlmostZero);
    entropy -= share * std::log(share + kAlmostZero);
  }
  return entropy;
}

}  // namespace

double feature_information(std::span<const float> column) {
  ColumnQuantiles quantiles;
  quantiles.set(column);
  const double q1 = quantiles.percentile(25), q3 = quantiles.percentile(75), spread = q3 - q1;
  const auto outliers = std::ranges::count_if(
      column, [&](float x) { return x < q1 - kWhisker * spread || x > q3 + kWhisker * spread; });
  const double ordinary = 1 - static_cast<double>(outliers) / static_cast<double>(column.size());
  return histogram_entropy(column) * (spread + kAlmostZero) * ordinary;
}

}  // namespace tessera
