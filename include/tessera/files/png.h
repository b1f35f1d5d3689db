#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tessera {

/// The bytes of a PNG file of 8-bit pixels.
///
/// channels  1 for gray, 3 for RGB
/// pixels    [height, width, channels]
/// Source: PNG specification, second edition (ISO/IEC 15948).
std::vector<std::byte> encode_png(int width, int height, int channels,
                                  std::span<const uint8_t> pixels);

/// Writes them to a file, which appears whole or not at all.
void write_png(const std::string& path, int width, int height, int channels,
               std::span<const uint8_t> pixels);

}  // namespace tessera
