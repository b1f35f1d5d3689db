#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tessera/files/npy.h"

namespace tessera {

/// Rows of an array file, a piece at a time: a .npy file is read as rows are asked for, other
/// formats whole at the start.
class RowFile {
 public:
  /// Throws Error (Data) as load_array, and for an array without rows or of rows without values.
  explicit RowFile(const std::string& path);
  explicit RowFile(std::shared_ptr<const ByteSource> npy);

  const std::string& path() const { return path_; }
  const std::vector<int64_t>& shape() const { return info_.shape; }
  int64_t rows() const { return info_.rows(); }
  int64_t cols() const { return info_.row_size(); }
  /// Rows [first, last).
  HostArray read(int64_t first, int64_t last) const;

 private:
  void require_rows() const;

  std::string path_;
  std::unique_ptr<NpyFile> npy_;
  HostArray all_;
  ArrayInfo info_;
};

/// Tokens [rows, columns]; each column has a codebook of its own size.
class TokenFile {
 public:
  /// `codebook_sizes`  of the columns. Throws Error (Data) for another number of columns.
  TokenFile(RowFile rows, std::vector<int64_t> codebook_sizes);

  int64_t rows() const { return rows_.rows(); }
  /// Codes of rows [first, last), [last - first, columns].
  /// Throws Error (Data) naming row and column of a token that is no code of its codebook.
  std::vector<int32_t> read(int64_t first, int64_t last) const;

 private:
  RowFile rows_;
  std::vector<int64_t> codebook_sizes_;
};

}  // namespace tessera
