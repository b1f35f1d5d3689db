#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace tessera {

/// CRC-32 as zlib and gzip compute it; `start` continues an earlier result.
uint32_t crc32(std::span<const std::byte> bytes, uint32_t start = 0);

}  // namespace tessera
