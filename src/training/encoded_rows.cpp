#include "training/encoded_rows.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "tessera/pack_series.h"
#include "tessera/step.h"
#include "training/raw_statistics.h"
#include "training/training_step.h"

namespace tessera {
namespace {

constexpr int64_t kEvaluationRows = 128;  // encoded at a time outside training
constexpr int kStatisticsBatches = 16, kStatisticsRows = 64;

Tensor on_step(int64_t rows, int64_t cols, const std::vector<float>& values, Device device) {
  Tensor tensor = Tensor::empty(rows, cols, device);
  tensor.write(values);
  return tensor;
}

}  // namespace

EncodedRows::EncodedRows(const EncoderInputs& inputs, FeatureMatrix columns,
                         std::shared_ptr<const RawInputs> raw, Device device)
    : inputs_(inputs), width_(columns.cols()), raw_(std::move(raw)), device_(device) {
  if (inputs_.normalizer.numbers.has_numbers()) normalize(columns, inputs_.normalizer);
  columns_ = std::move(columns.values);
  for (const EncodedFamilyInput& family : inputs_.families) {
    const std::vector<RawSeries>& all = raw_->series();
    const auto found = std::ranges::find(all, family.shape.name, &RawSeries::name);
    const bool reads = family.shape.series_features > 0 && found != all.end();
    series_of_.push_back(reads ? static_cast<int>(found - all.begin()) : -1);
    reads_grids_ |= family.shape.channels > 0;
  }
}

int64_t EncodedRows::longest_series() const {
  int64_t longest = 0;
  for (const RawSeries& series : raw_->series()) longest = std::max(longest, series.steps);
  return longest;
}

RawBatch EncodedRows::raw_rows(std::span<const int32_t> rows) const {
  if (ahead_.batch.valid() && std::ranges::equal(ahead_.rows, rows)) return ahead_.batch.get();
  return raw_->read(rows);
}

void EncodedRows::prefetch(std::vector<int32_t> rows) const {
  if (ahead_.batch.valid()) ahead_.batch.wait();
  ahead_.rows = std::move(rows);
  ahead_.batch = std::async(std::launch::async,
                            [raw = raw_, wanted = ahead_.rows] { return raw->read(wanted); });
}

EncoderBatch EncodedRows::batch(std::span<const int32_t> rows, const Lengths& lengths) const {
  const auto count = static_cast<int64_t>(rows.size());
  EncoderBatch batch;
  if (width_ > 0) {
    std::vector<float> values;
    values.reserve(static_cast<size_t>(count * width_));
    for (const int32_t row : rows)
      values.insert(values.end(), columns_.begin() + row * width_,
                    columns_.begin() + (row + 1) * width_);
    batch.columns = Var(on_step(count, width_, values, device_));
  }
  RawBatch raw = raw_rows(rows);
  if (reads_grids_) {
    const std::vector<int64_t>& shape = raw_->grid_shape();
    normalize_raw(raw.grids, inputs_.channel_mean, inputs_.channel_scale);
    batch.grids = {
        Var(on_step(count * shape[1] * shape[2], shape[0], raw.grids, device_)),
        GridLayout::uniform(count, {static_cast<int32_t>(shape[1]), static_cast<int32_t>(shape[2])},
                            device_)};
  }
  std::vector<int32_t> steps = std::move(raw.lengths);
  if (inputs_.most_steps > 0)
    for (int32_t& count : steps)
      count = static_cast<int32_t>(std::min<int64_t>(count, inputs_.most_steps));
  if (lengths)
    for (size_t i = 0; i < rows.size(); ++i) steps[i] = lengths(rows[i], steps[i]);
  for (size_t f = 0; f < inputs_.families.size(); ++f) {
    batch.series.emplace_back();
    if (series_of_[f] < 0) continue;
    const RawSeries& series = raw_->series()[static_cast<size_t>(series_of_[f])];
    const auto features = static_cast<int64_t>(series.features.size());
    std::vector<float> packed = pack_series<float>(raw.series[static_cast<size_t>(series_of_[f])],
                                                   count, series.steps, features, steps);
    normalize_raw(packed, inputs_.families[f].mean, inputs_.families[f].scale);
    const auto total = static_cast<int64_t>(packed.size()) / features;
    batch.series.back() = {Var(on_step(total, features, packed, device_)),
                           GridLayout::series(steps, device_)};
  }
  return batch;
}

void EncodedRows::average_statistics(const FamilyEncoders& encoders,
                                     const std::vector<int32_t>& rows,
                                     const Lengths& lengths) const {
  const std::vector<int32_t> chosen =
      spread_rows(rows, static_cast<size_t>(kStatisticsBatches * kStatisticsRows));
  int batches = 0;
  require(chosen.size() > 1, ErrorKind::Data, raw_->path(), ": ", chosen.size(),
          " row to train on; batch statistics need two at least");
  for (size_t first = 0; first + 1 < chosen.size(); first += kStatisticsRows) {
    const std::span<const int32_t> piece(chosen.data() + first,
                                         std::min<size_t>(kStatisticsRows, chosen.size() - first));
    if (piece.size() < kStatisticsRows && batches > 0) break;
    run_step(device_, [&] {
      encoders.outputs({.tape = nullptr,
                        .training = true,
                        .statistics_momentum = 1 / static_cast<float>(++batches)},
                       batch(piece, lengths));
    });
  }
}

template <class Encode>
std::vector<float> EncodedRows::encode(std::span<const int32_t> rows, const Lengths& lengths,
                                       const std::function<void(int64_t)>& progress,
                                       Encode encode) const {
  std::vector<float> values;
  const auto total = static_cast<int64_t>(rows.size());
  const auto piece = [&](int64_t first) {
    return rows.subspan(static_cast<size_t>(first),
                        static_cast<size_t>(std::min(kEvaluationRows, total - first)));
  };
  for (int64_t first = 0; first < total; first += kEvaluationRows) {
    run_step(device_, [&] {
      const EncoderBatch inputs = batch(piece(first), lengths);
      if (first + kEvaluationRows < total) {
        const auto next = piece(first + kEvaluationRows);
        prefetch({next.begin(), next.end()});
      }
      const std::vector<float> part = encode(inputs).to_host();
      values.insert(values.end(), part.begin(), part.end());
    });
    if (progress) progress(std::min(total, first + kEvaluationRows));
  }
  return values;
}

std::vector<float> EncodedRows::outputs(const FamilyEncoders& encoders,
                                        std::span<const int32_t> rows, const Lengths& lengths,
                                        const std::function<void(int64_t)>& progress) const {
  return encode(rows, lengths, progress,
                [&](const EncoderBatch& batch) { return encoders.outputs({}, batch).value(); });
}

Dataset EncodedRows::features(const FamilyEncoders& encoders, std::span<const int32_t> rows,
                              const Lengths& lengths) const {
  std::vector<float> values = encode(rows, lengths, {}, [&](const EncoderBatch& batch) {
    return encoders.features({}, batch).value();
  });
  const auto count = static_cast<int64_t>(rows.size());
  const int64_t cols = static_cast<int64_t>(values.size()) / count;
  return {HostRows{.bytes = {},
                   .values = std::move(values),
                   .rows = count,
                   .cols = cols,
                   .row_shape = {cols},
                   .where = raw_->path()},
          Normalizer{}, device_};
}

std::vector<int32_t> spread_rows(const std::vector<int32_t>& rows, size_t most) {
  const size_t count = std::min(most, rows.size());
  std::vector<int32_t> chosen;
  for (size_t i = 0; i < count; ++i) chosen.push_back(rows[i * rows.size() / count]);
  return chosen;
}

EncodedRows::Lengths lengths_in(const Config& config, uint64_t epoch) {
  const std::optional<SeriesLengths> varying = series_lengths(config);
  if (!varying) return {};
  return [varying, epoch](int32_t row, int32_t available) {
    return varying->length(epoch, row, available);
  };
}

EncodedRows::Lengths at_most(int64_t steps) {
  return [steps](int32_t, int32_t available) {
    return static_cast<int32_t>(std::min<int64_t>(steps, available));
  };
}

std::vector<FamilySpec> family_specs(const Config& config, const EncoderInputs& inputs) {
  std::vector<FamilySpec> specs;
  for (size_t f = 0; f < inputs.families.size(); ++f)
    specs.push_back({.shape = inputs.families[f].shape,
                     .encoder = config.families[f].encoder,
                     .params = config.families[f].encoder_params,
                     .columns = inputs.families[f].columns});
  return specs;
}

std::vector<int32_t> order_of(const std::vector<std::string>& names,
                              const std::vector<std::string>& outputs, const std::string& where) {
  std::unordered_map<std::string, int32_t> places;
  for (const std::string& name : outputs) places.emplace(name, static_cast<int32_t>(places.size()));
  std::vector<int32_t> order;
  for (const std::string& name : names) {
    const auto found = places.find(name);
    require(found != places.end(), ErrorKind::Data, where, ": the model's encoders make no ", name,
            "; the file is damaged");
    order.push_back(found->second);
  }
  return order;
}

}  // namespace tessera
