#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tessera/batch.h"
#include "tessera/config.h"
#include "tessera/files/host_array.h"

namespace tessera {

/// How stored numbers become the numbers a model sees: x' = (x - mean[f]) * scale[f].
struct Normalizer {
  std::string kind = "none";        ///< none, unit_range (bytes / 255), standard or robust
  std::vector<float> mean, scale;   ///< per feature (robust: mean is the median); else empty

  bool operator==(const Normalizer&) const = default;
  bool has_numbers() const { return kind == "standard" || kind == "robust"; }
  /// Normalised values [rows, cols] back to stored units; without numbers nothing changes, since
  /// unit_range data are kept in [0, 1].
  void undo(std::vector<float>& values, int64_t cols) const;
};

enum class Split { Train, Test };

/// Which file holds the rows of `path`. A folder is an IDX data set (train-images-idx3-ubyte[.gz]
/// and t10k-images-idx3-ubyte[.gz]); a file serves both splits.
/// Throws Error (Data) with what was looked for.
std::string data_file(const std::string& path, Split split);

/// Rows in host memory: bytes as they are stored, or floats. Flattened to [rows, cols].
struct HostRows {
  std::vector<uint8_t> bytes;
  std::vector<float> values;
  int64_t rows = 0, cols = 0;
  std::vector<int64_t> row_shape;  ///< of one row as stored: [28, 28] for images
  std::string where;               ///< the file, for messages
};

/// Reads an array file as rows. Rank 1 is one feature per row. Floats must be finite.
/// `max_rows` keeps the first so many; `format` as load_array. Throws Error (Data).
HostRows load_rows(const std::string& file, std::string_view format = "auto",
                   std::optional<int64_t> max_rows = {});
HostRows to_rows(const HostArray& array, const std::string& where);

/// Fits `kind` ("auto", "none", "unit_range", "standard", "robust") to the rows of `subset`.
Normalizer fit_normalizer(const std::string& kind, const HostRows& rows,
                          const std::vector<int32_t>& subset);

/// Rows on a device, as a step reads them: bytes stay bytes.
class Dataset {
 public:
  Dataset(HostRows rows, const Normalizer& normalizer, Device device);

  int64_t rows() const { return source_.rows; }
  int64_t cols() const { return source_.cols; }
  const std::vector<int64_t>& row_shape() const { return row_shape_; }
  const RowSource& source() const { return source_; }
  Device device() const { return device_; }
  /// Rows [first, first + count), normalised.
  Tensor rows_at(int64_t first, int64_t count) const {
    return gather_rows(source_, {}, first, count, device_);
  }

 private:
  Device device_;
  Buffer<uint8_t> bytes_;
  Buffer<float> values_;
  RowSource source_;
  std::vector<int64_t> row_shape_;
};

/// Row numbers of the two parts, ascending; the same for every run with this seed. At least one row
/// trains, and at least one validates where the fraction is above 0 and there are two rows.
struct TrainValidation {
  std::vector<int32_t> train, validation;
};
TrainValidation split_rows(int64_t rows, double validation_fraction, uint64_t seed);

}  // namespace tessera
