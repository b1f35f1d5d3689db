#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tessera/files/byte_source.h"
#include "tessera/files/crc32.h"
#include "tessera/files/host_array.h"

namespace tessera {

/// One tensor of a safetensors file.
struct TensorInfo : ArrayInfo {
  int64_t offset = 0;  // bytes from the start of the file
  int64_t bytes = 0;
};

/// A safetensors file; tensors are read on demand.
///
///   8 bytes little-endian n | n bytes of JSON | values
///   JSON: {"<name>": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, ...,
///          "__metadata__": {"<key>": "<text>", ...}}
///
/// The tensors must cover the values without gap or overlap. Headers over 100 MB are refused.
/// Source: the format description of huggingface/safetensors.
class SafetensorsFile {
 public:
  /// Reads and checks the header. Throws Error (Data) naming what does not hold.
  explicit SafetensorsFile(const std::string& path);
  explicit SafetensorsFile(std::shared_ptr<const ByteSource> source);

  const std::string& path() const { return source_->name(); }
  const std::vector<std::string>& names() const { return names_; }  ///< as their values stand
  bool contains(const std::string& name) const { return tensors_.count(name) > 0; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

  /// Throws Error (Data) for a name that is not there.
  const TensorInfo& info(const std::string& name) const;

  /// The values, checked against the metadata entry `crc32` where that lists the tensor.
  /// Throws Error (Data) for a name that is not there and a CRC that differs.
  HostArray read(const std::string& name) const;

  /// Whether read() checks this tensor.
  bool has_checksum(const std::string& name) const { return checksums_.count(name) > 0; }

 private:
  void parse_header(std::span<const std::byte> header, int64_t values_offset);
  void check_coverage(int64_t values_offset);
  void parse_checksums();

  std::shared_ptr<const ByteSource> source_;
  std::vector<std::string> names_;
  std::map<std::string, TensorInfo> tensors_;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, uint32_t> checksums_;
};

/// Writes tensors, the widest types first so that each value is aligned to its size, otherwise in
/// the given order; appears whole or not at all.
/// Throws Error (Data) for a repeated name, "__metadata__" as one, text that is not UTF-8, and
/// where the file cannot be written.
void write_safetensors(const std::string& path, std::span<const ArrayView> tensors,
                       const std::map<std::string, std::string>& metadata = {});

/// JSON {"<name>": "<crc32 as 8 hex digits>", ...}, for the metadata entry `crc32`.
std::string checksums_json(std::span<const ArrayView> tensors);

}  // namespace tessera
