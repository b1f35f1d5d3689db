#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tessera/files/byte_source.h"
#include "tessera/files/host_array.h"

namespace tessera {

/// A .npz file: a zip archive of .npy files, stored or deflated. Values are read on demand.
/// Members that do not end in .npy are left alone.
/// Source: PKWARE APPNOTE 6.3.9 (4.3.7, 4.3.12, 4.3.14-16, 4.5.3); RFC 1951.
class NpzFile {
 public:
  /// Reads the directory of the archive.
  /// Throws Error (Data) for a damaged, split, encrypted or otherwise compressed archive and for
  /// a name that stands twice.
  explicit NpzFile(const std::string& path);
  explicit NpzFile(std::shared_ptr<const ByteSource> source);

  /// Names without ".npy", in the order of the archive.
  const std::vector<std::string>& names() const { return names_; }
  bool contains(const std::string& name) const { return members_.count(name) > 0; }

  /// Both throw Error (Data) for a name that is not there, listing those that are, and where
  /// sizes of archive and array disagree; read() also where the CRC-32 does.
  ArrayInfo info(const std::string& name) const;
  HostArray read(const std::string& name) const;

 private:
  struct Member {
    uint16_t method = 0;
    uint32_t crc = 0;
    uint64_t packed_bytes = 0, bytes = 0, offset = 0;
  };
  struct Directory {
    uint64_t offset = 0, bytes = 0, members = 0;
  };
  Directory find_directory() const;
  Directory find_zip64_directory(uint64_t end_record) const;
  void read_directory(const Directory& directory);
  void add_member(std::string name, uint16_t flags, const Member& member);
  const Member& member(const std::string& name) const;
  uint64_t data_offset(const std::string& name, const Member& member) const;

  std::shared_ptr<const ByteSource> source_;
  uint64_t directory_offset_ = 0;
  std::vector<std::string> names_;
  std::map<std::string, Member> members_;
};

/// Writes an archive of stored (not compressed) .npy files, always with 64-bit sizes; appears
/// whole or not at all. The same arrays give the same bytes.
/// Throws Error (Data) for an empty or repeated name.
void write_npz(const std::string& path, std::span<const ArrayView> arrays);

}  // namespace tessera
