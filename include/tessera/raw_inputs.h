#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tessera/feature_matrix.h"

namespace tessera {

/// A family of rank 3: [samples, steps, features].
struct RawSeries {
  std::string name;
  int64_t steps = 0;
  std::vector<std::string> features;       ///< as they are given out
  std::vector<std::string> left_out = {};  ///< features of the data set that are not
};

/// Raw values of some samples, row-major; NaN where a value is missing.
struct RawBatch {
  int64_t rows = 0;
  std::vector<float> grids;  ///< [rows, height, width, channels]
  std::vector<std::vector<float>>
      series;                    ///< [rows, steps, features] for each of RawInputs::series()
  std::vector<int32_t> lengths;  ///< steps of each sample that mean something; full where the
                                 ///< data set does not say
};

/// Grids and series of a data set, which need not fit in memory. Rows are asked for in any order, by any
/// thread.
class RawInputs {
 public:
  virtual ~RawInputs() = default;
  virtual RawBatch read(std::span<const int32_t> rows) const = 0;

  int64_t rows() const { return rows_; }
  /// [channels, height, width]; empty where there are none or none were asked for.
  const std::vector<int64_t>& grid_shape() const { return grid_shape_; }
  const std::vector<RawSeries>& series() const { return series_; }
  const std::string& path() const { return path_; }

 protected:
  std::string path_;
  int64_t rows_ = 0;
  std::vector<int64_t> grid_shape_;
  std::vector<RawSeries> series_;
};

/// What of a data set is wanted.
struct RawSelection {
  std::vector<std::string> families = {};  ///< of rank 2, as columns; in this order
  std::vector<std::string> series = {};    ///< families of rank 3
  /// For each of `series` the features that are wanted, at least one, in this order; without any list: all but
  /// those that fit `exclude`.
  std::vector<std::vector<std::string>> series_features = {};
  std::vector<std::string> exclude = {};  ///< of family/feature, with * for any text
  bool grids = false;
  bool keep_unfilled = false;  ///< row n of the answer is row n of the file
};

/// A data set whose rows have raw parts: row n of the columns belongs to row n of `raw`.
struct RawFeatures {
  FeatureMatrix columns;  ///< of the families of rank 2; no columns where none is wanted
  std::shared_ptr<const RawInputs> raw;
  int64_t dropped = 0;  ///< rows that were never filled and are left out
};

/// Told how many of the rows of a data set have been gone through, and what is made of them meanwhile.
using RawProgress = std::function<void(int64_t rows, int64_t of, const std::string& what)>;

/// Opens an HDF5 file or a folder (tessera/feature_data.h). Raw parts of up to `memory` bytes are kept in
/// memory; larger ones are read from the files of a folder, or, where the file is compressed, from an
/// uncompressed copy in `scratch`, which no longer has a name once it is open and goes with the process.
/// Throws Error (Data) naming the file: for a missing family, a family of another rank (saying which
/// kind of encoder reads it), series of unequal steps, grids that are wanted and not there, infinite
/// values, a length of 0 (by sample number) or one beyond the steps, a feature of a series that is wanted
/// and not there, series of which no feature is left.
RawFeatures open_raw_features(const std::string& path, const RawSelection& wanted,
                              std::optional<int64_t> max_rows = {},
                              int64_t memory = int64_t{512} << 20, const std::string& scratch = "",
                              const RawProgress& progress = {});

}  // namespace tessera
