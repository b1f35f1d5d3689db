#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tessera/feature_data.h"
#include "tessera/feature_matrix.h"
#include "tessera/files/row_file.h"

namespace tessera {

/// Reads the features of `path`, the one place where a layout of feature files is chosen:
///   .npy, .npz, IDX   an array [N, D]; its columns are named by <stem>.names.json or names.json beside it,
///                     {"<family>": ["<feature>", ...], ...}, as "<family>/<feature>" in the order
///                     of the file, and "features/0", "features/1", ... where there is none
///   HDF5, a folder    the families of rank 2 (feature_data.h), as "<family>/<feature>"; rows that were
///                     never filled are left out
/// `format` is auto (by name and content), npy, npz, idx, hdf5 or folder.
/// `max_rows` keeps the first so many rows. NaN is a missing value.
/// Throws Error (Data) for another rank, no rows, an infinity, names that are not unique or not as
/// many as columns.
FeatureMatrix load_features(const std::string& path, const std::string& format = "auto",
                            std::optional<int64_t> max_rows = {});

/// The same a block at a time, without leaving out rows that were never filled: row n of all blocks is
/// row n of the file. Arrays other than .npy are read whole.
class FeatureReader {
 public:
  /// Throws Error (Data) as load_features.
  explicit FeatureReader(const std::string& path);
  ~FeatureReader();
  FeatureReader(const FeatureReader&) = delete;
  FeatureReader& operator=(const FeatureReader&) = delete;

  const std::string& path() const { return path_; }
  int64_t rows() const { return rows_; }
  /// Rows [first, last), checked as load_features does.
  FeatureMatrix read(int64_t first, int64_t last) const;

 private:
  std::string path_;
  int64_t rows_ = 0;
  std::unique_ptr<RowFile> array_;  // or a data set of families
  std::unique_ptr<FeatureSource> families_;
  FeatureMatrix columns_;  // names and families of an array's columns
};

/// Throws Error (Data) naming `where` unless names, families and values of the matrix agree and the
/// names are unique. `first_row` is the number of the matrix's first row in it.
void check_features(const FeatureMatrix& features, const std::string& where, int64_t first_row = 0);

}  // namespace tessera
