#include "tessera/files/crc32.h"

#include <zlib.h>

namespace tessera {

uint32_t crc32(std::span<const std::byte> bytes, uint32_t start) {
  if (bytes.empty()) return start;  // zlib answers a null pointer with 0
  return static_cast<uint32_t>(
      ::crc32_z(start, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace tessera
