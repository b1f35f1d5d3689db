#include "training/input_rows.h"

#include <cmath>
#include <numeric>

#include "training/open_encoded.h"

namespace tessera {
namespace {

/// As require_finite, for a piece that starts at row `first` of the file: the row named is the
/// file's, whatever the size of the pieces.
void require_finite_rows(const HostArray& part, const std::string& path, int64_t first) {
  if (part.dtype != DType::F16 && part.dtype != DType::F32 && part.dtype != DType::F64) return;
  const std::vector<float> values = part.to_floats(path);
  const int64_t cols = part.row_size();
  for (int64_t i = 0; i < static_cast<int64_t>(values.size()); ++i)
    require(std::isfinite(values[static_cast<size_t>(i)]), ErrorKind::Data, path, ": value ",
            values[static_cast<size_t>(i)], " at row ", first + i / cols, ", column ", i % cols,
            "; remove that row or column, or replace the value");
}

}  // namespace

InputRows::InputRows(const TrainedModel& trained, const std::string& path)
    : trained_(trained), path_(path) {
  if (trained.features.empty()) {
    array_ = std::make_unique<RowFile>(path);
    rows_ = array_->rows();
    const int64_t features = trained.model->features();
    require(array_->cols() == features, ErrorKind::Data, path, ": ", array_->cols(),
            " features a row, the model was trained on ", features);
  } else if (!trained.features.inputs.empty()) {
    encoded_ = std::make_unique<EncodedRows>(open_encoded_rows(trained, path, {}, Unfilled::Keep));
    rows_ = encoded_->rows();
  } else {
    features_ = std::make_unique<FeatureReader>(path);
    rows_ = features_->rows();
  }
}

Dataset InputRows::read(int64_t first, int64_t last) const {
  if (encoded_) {
    std::vector<int32_t> numbers(static_cast<size_t>(last - first));
    std::iota(numbers.begin(), numbers.end(), static_cast<int32_t>(first));
    return encoded_->features(*trained_.model->encoders(), numbers);
  }
  HostRows rows;
  if (array_) {
    const HostArray part = array_->read(first, last);
    require_finite_rows(part, path_, first);
    rows = to_rows(part, path_);
  } else {
    FeatureMatrix part = model_rows(features_->read(first, last), trained_.features, path_, first);
    rows = {.bytes = {},
            .values = std::move(part.values),
            .rows = part.rows,
            .cols = part.cols(),
            .row_shape = {part.cols()},
            .where = path_};
  }
  return {std::move(rows), trained_.normalizer, trained_.model->device()};
}

}  // namespace tessera
