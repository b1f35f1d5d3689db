#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tessera/encoder.h"
#include "testing/numbers.h"

namespace tessera::inline TESSERA_PRECISION::encoder_testing {

inline FamilyShape columns_shape(int64_t columns) {
  FamilyShape shape{.name = "family", .columns = columns};
  for (int64_t i = 0; i < columns; ++i) shape.column_names.push_back("c" + std::to_string(i));
  return shape;
}
inline FamilyShape grids_shape(int64_t channels, GridSize size, int64_t columns = 0) {
  FamilyShape shape = columns_shape(columns);
  shape.channels = channels;
  shape.grid = size;
  return shape;
}
inline FamilyShape series_shape(int64_t features, int64_t steps) {
  return {.name = "family", .series_features = features, .steps = steps};
}

inline Var random_columns(int64_t samples, int64_t columns, uint64_t seed) {
  return Var(Tensor::from_host(samples, columns, testing::uniform<real>(samples * columns, seed)));
}
inline GridVar random_grids(const GridLayout& layout, int64_t channels, uint64_t seed) {
  return {random_columns(layout.rows(), channels, seed), layout};
}
inline GridVar random_series(const std::vector<int32_t>& lengths, int64_t features, uint64_t seed) {
  return random_grids(GridLayout::series(lengths, {}), features, seed);
}

/// An encoder with parameters and running statistics off what they start from.
class MadeEncoder {
 public:
  MadeEncoder(std::string_view name, const EncoderParams& params, const FamilyShape& shape)
      : encoder_(make_encoder(name, params, shape,
                              {.group = group_, .prefix = "family", .device = {}, .seed = 3})) {
    group_.allocate({});
    uint64_t seed = 50;
    for (Parameter& parameter : group_.parameters())
      move(parameter.value, testing::uniform<real>(parameter.value.size(), seed++, -0.05, 0.05));
    for (NamedTensor& buffer : buffers())
      move(buffer.tensor, testing::uniform<real>(buffer.tensor.size(), seed++, -0.2, 0.2));
  }

  ParameterGroup& group() { return group_; }
  Encoder& operator*() { return *encoder_; }
  Encoder* operator->() { return encoder_.get(); }
  std::vector<NamedTensor> buffers() {
    std::vector<NamedTensor> all;
    encoder_->add_buffers(all);
    return all;
  }
  std::vector<real> evaluate(const FamilyBatch& batch) {
    return encoder_->encode({}, batch).value().to_host();
  }
  Parameter& parameter(const std::string& name) {
    for (Parameter& parameter : group_.parameters())
      if (parameter.name == name) return parameter;
    throw std::runtime_error("no parameter " + name);
  }

 private:
  static void move(Tensor& values, const std::vector<real>& by) {
    std::vector<real> moved = values.to_host();
    for (size_t i = 0; i < moved.size(); ++i) moved[i] += by[i];
    values.write(moved);
  }
  ParameterGroup group_{"model", kModelGroup};
  std::unique_ptr<Encoder> encoder_;
};

}  // namespace tessera::inline TESSERA_PRECISION::encoder_testing
