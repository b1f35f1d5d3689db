#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tessera/files/byte_source.h"
#include "tessera/raw_inputs.h"

namespace tessera {

/// Rows of one raw part: `values` where they are in memory, else in `file`.
struct RawPart {
  /// Grids of [channels, height, width], given out with their channels last.
  static RawPart of_grids(const std::vector<int64_t>& shape);
  /// Series of `steps` x `features`, of which the features `chosen` are given out.
  static RawPart of_series(int64_t steps, int64_t features, std::vector<int32_t> chosen);

  int64_t row_size = 0, file_row_size = 0;  ///< values of a row as given out, and in the data set
  int64_t channels = 0;                     ///< of grids
  int64_t features = 0;                     ///< of series, in the data set
  std::vector<int32_t> chosen = {};         ///< of them; empty: all
  std::vector<float> values = {};
  std::shared_ptr<const ByteSource> file = {};
  uint64_t offset = 0;
  bool every_row = false;  ///< the file has unfilled rows too, as the data set has them

  /// A row of the data set as it is given out: [row_size].
  void arrange(std::span<const float> row, float* into) const;
  void read(int64_t row, int64_t row_of_file, float* into) const;
};

/// Raw parts, wherever each of them lies.
class StoredRaw final : public RawInputs {
 public:
  StoredRaw(const std::string& path, std::vector<int64_t> grid_shape, std::vector<RawSeries> series);

  RawBatch read(std::span<const int32_t> rows) const override;
  void set_rows(int64_t rows) { rows_ = rows; }

  std::vector<RawPart> parts;      ///< grids first
  std::vector<int32_t> file_rows;  ///< of each row, its number in the data set
  std::vector<int32_t> lengths;
};

}  // namespace tessera
