#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tessera/checkpoint.h"
#include "tessera/files/row_file.h"
#include "tessera/load_features.h"
#include "training/encoded_rows.h"

namespace tessera {

/// Rows of a file as a trained model reads them: by position, or, where the model's features have
/// names, by these, cleaned as in training, whatever the order of the columns.
class InputRows {
 public:
  /// Throws Error (Data) for other columns than the model was trained on, naming the first that is
  /// missing, and for grids or series of another shape.
  InputRows(const TrainedModel& trained, const std::string& path);

  int64_t rows() const { return rows_; }
  /// Rows [first, last), normalised as they are read from it.
  /// Throws Error (Data) naming row and column of a value that is not finite.
  Dataset read(int64_t first, int64_t last) const;

 private:
  const TrainedModel& trained_;
  std::string path_;
  std::unique_ptr<FeatureReader> features_;
  std::unique_ptr<RowFile> array_;
  std::unique_ptr<EncodedRows> encoded_;  // of a model whose encoders make the features
  int64_t rows_ = 0;
};

}  // namespace tessera
