#pragma once

#include <memory>
#include <span>
#include <string>

#include "tessera/files/byte_source.h"
#include "tessera/files/file_writer.h"
#include "tessera/files/host_array.h"

namespace tessera {

/// What the header of a .npy file says, and where its values start.
struct NpyInfo : ArrayInfo {
  bool fortran_order = false;
  bool big_endian = false;
  int64_t data_offset = 0;  // bytes
};

/// A .npy file, format 1.0 to 3.0, of plain numbers; values are read on demand.
/// Source: NumPy, "NEP 1 - A simple file format for NumPy arrays", and numpy.lib.format.
class NpyFile {
 public:
  /// Reads the header only.
  /// Throws Error (Data) unless header and file length agree to the byte.
  explicit NpyFile(const std::string& path);
  explicit NpyFile(std::shared_ptr<const ByteSource> source);

  const NpyInfo& info() const { return info_; }

  /// All values.
  HostArray read() const;

  /// Rows [first, last), without reading the others.
  /// In Fortran order that is one read per element of a row.
  HostArray read_rows(int64_t first, int64_t last) const;

 private:
  std::shared_ptr<const ByteSource> source_;
  NpyInfo info_;
};

HostArray read_npy(const std::string& path);
NpyInfo probe_npy(const std::string& path);

/// Writes format 1.0, little-endian, C order; appears whole or not at all.
void write_npy(const std::string& path, const HostArray& array);

/// Writes a .npy file of known shape block by block.
class NpyWriter {
 public:
  NpyWriter(const std::string& path, DType dtype, std::span<const int64_t> shape);

  /// The next values, row-major, in the file's dtype.
  void append(std::span<const std::byte> values);

  /// Makes the file appear. Throws Error (Internal) unless exactly all values were appended.
  void commit();

 private:
  int64_t expected_;  // bytes of values
  int64_t appended_ = 0;
  FileWriter file_;
};

}  // namespace tessera
