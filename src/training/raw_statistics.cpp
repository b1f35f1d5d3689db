#include "training/raw_statistics.h"

#include <algorithm>
#include <cmath>

#include "data/column_statistics.h"
#include "training/encoded_rows.h"

namespace tessera {
namespace {

constexpr size_t kStatisticsRows = 4096;  // training rows that statistics are taken from
constexpr size_t kRowsAtATime = 256;
constexpr float kMostDeviations = 10;

/// Mean and deviation of columns by Welford's recurrence, which does not cancel where the mean is large.
class Moments {
 public:
  void add(const float* row, size_t cols) {
    if (mean_.empty()) {
      mean_.resize(cols);
      squares_.resize(cols);
      counts_.resize(cols);
    }
    for (size_t c = 0; c < cols; ++c) {
      if (std::isnan(row[c])) {
        ++missing_;
        continue;
      }
      const double before = double(row[c]) - mean_[c];
      mean_[c] += before / double(++counts_[c]);
      squares_[c] += before * (double(row[c]) - mean_[c]);
    }
  }
  void finish(std::vector<float>& mean, std::vector<float>& scale) const {
    for (size_t c = 0; c < mean_.size(); ++c) {
      const double deviation = counts_[c] > 0 ? std::sqrt(squares_[c] / double(counts_[c])) : 0;
      mean.push_back(float(mean_[c]));
      scale.push_back(deviates(mean_[c], deviation) ? float(1 / deviation) : 1.0f);
    }
  }
  int64_t missing() const { return missing_; }

 private:
  std::vector<double> mean_, squares_;
  std::vector<int64_t> counts_;
  int64_t missing_ = 0;
};

}  // namespace

int64_t fit_raw_statistics(EncoderInputs& inputs, const RawInputs& raw,
                           const std::vector<int32_t>& training_rows) {
  const std::vector<int32_t> rows = spread_rows(training_rows, kStatisticsRows);
  Moments channels;
  std::vector<Moments> series(inputs.families.size());
  for (size_t first = 0; first < rows.size(); first += kRowsAtATime) {
    const std::span<const int32_t> piece(rows.data() + first,
                                         std::min(kRowsAtATime, rows.size() - first));
    const RawBatch batch = raw.read(piece);
    if (!raw.grid_shape().empty()) {
      const auto c = static_cast<size_t>(raw.grid_shape()[0]);
      for (size_t i = 0; i < batch.grids.size(); i += c) channels.add(batch.grids.data() + i, c);
    }
    for (size_t f = 0; f < inputs.families.size(); ++f) {
      const FamilyShape& shape = inputs.families[f].shape;
      if (shape.series_features == 0) continue;
      const auto found = std::ranges::find(raw.series(), shape.name, &RawSeries::name);
      const std::vector<float>& values =
          batch.series[static_cast<size_t>(found - raw.series().begin())];
      const auto cols = static_cast<size_t>(shape.series_features);
      for (size_t n = 0; n < piece.size(); ++n)
        for (size_t t = 0; t < static_cast<size_t>(batch.lengths[n]); ++t)
          series[f].add(values.data() + (n * static_cast<size_t>(found->steps) + t) * cols, cols);
    }
  }
  channels.finish(inputs.channel_mean, inputs.channel_scale);
  int64_t missing = channels.missing();
  for (size_t f = 0; f < series.size(); ++f) {
    series[f].finish(inputs.families[f].mean, inputs.families[f].scale);
    missing += series[f].missing();
  }
  return missing;
}

void normalize_raw(std::vector<float>& values, const std::vector<float>& mean,
                   const std::vector<float>& scale) {
  const size_t cols = mean.size();
  for (size_t i = 0; i < values.size(); i += cols)
    for (size_t c = 0; c < cols; ++c) {
      const float x = (values[i + c] - mean[c]) * scale[c];
      values[i + c] = std::isnan(x) ? 0 : std::clamp(x, -kMostDeviations, kMostDeviations);
    }
}

}  // namespace tessera
