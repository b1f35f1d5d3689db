#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tessera/encoder.h"

namespace tessera::inline TESSERA_PRECISION {

/// A family of a model, what it has, and its encoder.
struct FamilySpec {
  FamilyShape shape;
  std::string encoder = "identity";
  EncoderParams params = {};
  std::vector<int32_t> columns = {};  ///< of the input row that are the family's, in its order
};

/// What the encoders of a model read for the samples of a batch.
struct EncoderBatch {
  Var columns;                  ///< the input row: [samples, width], normalised; null where there is none
  GridVar grids;                ///< null values where there are none
  std::vector<GridVar> series;  ///< of each family; null values where it has none
};

/// The encoders of all families of a model, and the way from their outputs to its features:
///
///   e = outputs of the families side by side, in their order
///   features[t] = (e[order[t]] - mean[order[t]]) scale[order[t]]
///
/// mean and scale are constants that begin as 0 and 1 and are fitted once to the outputs of the untrained
/// encoders, so that every feature starts with deviation 1; they are not followed in training.
class FamilyEncoders {
 public:
  /// `width`: columns of the input row. `order`: columns of the outputs side by side, in the order of the
  /// model's features, each at most once; empty: all of them as they stand. Parameters are declared in
  /// `group` as encoders/<family>/...
  /// Throws Error as make_encoder, and (Data) where two outputs have one name.
  FamilyEncoders(const std::vector<FamilySpec>& families, int64_t width,
                 std::vector<int32_t> order, ParameterGroup& group, Device device, uint64_t seed);

  /// Outputs side by side: [samples, outputs].
  Var outputs(const Pass& pass, const EncoderBatch& batch) const;
  /// The model's features: [samples, features].
  Var features(const Pass& pass, const EncoderBatch& batch) const;

  int64_t output_columns() const { return static_cast<int64_t>(names_.size()); }
  /// Of one family, by its place in specs().
  int64_t output_columns(size_t family) const { return encoders_[family]->output_dim(); }
  /// Of the outputs side by side: "family/name", its family, and whether an encoder made the column.
  const std::vector<std::string>& names() const { return names_; }
  const std::vector<std::string>& families() const { return families_of_; }
  const std::vector<char>& is_encoded() const { return encoded_; }
  const std::vector<FamilySpec>& specs() const { return specs_; }

  void set_normalizer(std::span<const real> mean, std::span<const real> scale);
  void add_buffers(std::vector<NamedTensor>& buffers);

 private:
  FamilyBatch batch_of(size_t family, const EncoderBatch& batch) const;

  std::vector<FamilySpec> specs_;
  std::vector<std::unique_ptr<Encoder>> encoders_;
  std::vector<ColumnSelection> columns_;  // of each family
  ColumnSelection order_;
  std::vector<std::string> names_, families_of_;
  std::vector<char> encoded_;
  mutable BatchStatistics normalizer_;  // evaluated only
  Tensor gain_, shift_;
};

}  // namespace tessera::inline TESSERA_PRECISION
