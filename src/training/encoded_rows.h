#pragma once

#include <functional>
#include <future>
#include <memory>
#include <span>
#include <vector>

#include "tessera/data.h"
#include "tessera/model_features.h"

namespace tessera {

/// Rows of a data set with raw parts, for one caller at a time, as the encoders of a model read them: input row, grids and series,
/// normalised, series packed without padding.
class EncodedRows {
 public:
  /// Steps looked at of sample `row`, of which `available` mean something.
  using Lengths = std::function<int32_t(int32_t row, int32_t available)>;

  /// `columns`: cleaned values of the input row of every sample, columns as inputs.cleaning; without
  /// columns where there are none.
  EncodedRows(const EncoderInputs& inputs, FeatureMatrix columns,
              std::shared_ptr<const RawInputs> raw, Device device);

  int64_t rows() const { return raw_->rows(); }
  int64_t longest_series() const;  ///< steps; 0 where there are none
  /// Inside a step. A sample's whole length, at most inputs.most_steps, where `lengths` is empty.
  EncoderBatch batch(std::span<const int32_t> rows, const Lengths& lengths = {}) const;
  /// Starts to read the raw parts of the rows that batch() will ask for next.
  void prefetch(std::vector<int32_t> rows) const;

  /// Sets the running statistics of the encoders to their means over 16 batches of 64 of the rows, evenly
  /// spread. Averages that follow training lag behind it where an epoch has few steps, and what was
  /// learned would be measured with statistics of other weights.
  /// Source: Wu and Johnson 2021, "Rethinking batch in BatchNorm", section 3.
  void average_statistics(const FamilyEncoders& encoders, const std::vector<int32_t>& rows,
                          const Lengths& lengths) const;

  /// Outputs of the encoders side by side, in evaluation: rows.size() x encoders.output_columns().
  /// Columns that no encoder made are normalised. `progress` is told how many rows are done.
  std::vector<float> outputs(const FamilyEncoders& encoders, std::span<const int32_t> rows,
                             const Lengths& lengths = {},
                             const std::function<void(int64_t)>& progress = {}) const;
  /// The model's features, normalised, in evaluation, as a data set.
  Dataset features(const FamilyEncoders& encoders, std::span<const int32_t> rows,
                   const Lengths& lengths = {}) const;

 private:
  RawBatch raw_rows(std::span<const int32_t> rows) const;
  template <class Encode>
  std::vector<float> encode(std::span<const int32_t> rows, const Lengths& lengths,
                            const std::function<void(int64_t)>& progress, Encode encode) const;

  EncoderInputs inputs_;
  std::vector<float> columns_;  // normalised
  int64_t width_;
  std::shared_ptr<const RawInputs> raw_;
  Device device_;
  std::vector<int> series_of_;  // of each family: which of raw_->series(), or -1
  bool reads_grids_ = false;
  struct Ahead {
    std::vector<int32_t> rows;
    std::future<RawBatch> batch;
  };
  mutable Ahead ahead_;
};

/// Some of the rows, evenly spread.
std::vector<int32_t> spread_rows(const std::vector<int32_t>& rows, size_t most);

/// Lengths of series as an epoch (from 0) draws them; empty where they do not vary.
EncodedRows::Lengths lengths_in(const Config& config, uint64_t epoch);

/// At most `steps` of what a sample has.
EncodedRows::Lengths at_most(int64_t steps);

/// Families as a model's encoders read them, and as make_tokenizer and load_model know them.
std::vector<FamilySpec> family_specs(const Config& config, const EncoderInputs& inputs);
/// Where the columns `names` stand among `outputs`. Throws Error (Data) naming one that is not there.
std::vector<int32_t> order_of(const std::vector<std::string>& names,
                              const std::vector<std::string>& outputs, const std::string& where);

}  // namespace tessera
