#pragma once

#include <string>

#include "tessera/files/byte_source.h"

namespace tessera {

/// A file without a name: it goes with its owner, or with the process however that ends.
class ScratchFile : public ByteSource {
 public:
  /// `size` bytes in `folder`, which is made where it is missing; "": the system's temporary folder.
  /// Throws Error (Data) where it cannot be made.
  ScratchFile(const std::string& folder, uint64_t size);
  ~ScratchFile() override;

  /// Throws Error (Data) with the system's reason, for instance a full disk.
  void write(uint64_t offset, std::span<const std::byte> bytes);

 private:
  void read_inside(uint64_t offset, std::span<std::byte> into) const override;

  int descriptor_ = -1;
};

}  // namespace tessera
