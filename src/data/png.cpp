#include "tessera/files/png.h"

#include <zlib.h>

#include <string_view>

#include "data/bytes.h"
#include "tessera/error.h"
#include "tessera/files/crc32.h"
#include "tessera/files/file_writer.h"

namespace tessera {
namespace {

/// Length, type, data, and the CRC-32 of type and data.
void put_chunk(ByteBuilder& png, std::string_view type, std::span<const std::byte> data) {
  const uint32_t crc = crc32(data, crc32(std::as_bytes(std::span(type))));
  png.be(static_cast<uint32_t>(data.size())).text(type).raw(data).be(crc);
}

/// The rows, each after the number of its filter (0, none), as a zlib stream.
std::vector<std::byte> compress_rows(int height, size_t row_bytes,
                                     std::span<const uint8_t> pixels) {
  std::vector<uint8_t> rows;
  rows.reserve(height * (row_bytes + 1));
  for (int y = 0; y < height; ++y) {
    rows.push_back(0);
    const auto row = pixels.subspan(y * row_bytes, row_bytes);
    rows.insert(rows.end(), row.begin(), row.end());
  }
  uLongf size = compressBound(rows.size());
  std::vector<std::byte> packed(size);
  const int result = compress2(reinterpret_cast<Bytef*>(packed.data()), &size, rows.data(),
                               rows.size(), Z_DEFAULT_COMPRESSION);
  require(result == Z_OK, ErrorKind::Memory, "png: zlib needs more memory than there is for ",
          rows.size(), " bytes; draw a smaller picture");
  packed.resize(size);
  return packed;
}

}  // namespace

std::vector<std::byte> encode_png(int width, int height, int channels,
                                  std::span<const uint8_t> pixels) {
  constexpr uint8_t kBitDepth = 8, kGray = 0, kRgb = 2;
  constexpr size_t kMaxPixelBytes = size_t{1} << 30;  // a chunk's length has 31 bits
  TESSERA_CHECK(width > 0 && height > 0 && (channels == 1 || channels == 3), "png: ", width, " x ",
                height, " pixels of ", channels, " channels; 1 and 3 channels can be written");
  const size_t row_bytes = static_cast<size_t>(width) * channels;
  TESSERA_CHECK(pixels.size() == row_bytes * height && pixels.size() <= kMaxPixelBytes,
                "png: ", pixels.size(), " bytes for ", width, " x ", height, " x ", channels);
  ByteBuilder png;
  png.text("\x89PNG\r\n\x1a\n");
  put_chunk(png, "IHDR",
            ByteBuilder()
                .be(static_cast<uint32_t>(width))
                .be(static_cast<uint32_t>(height))
                .be(kBitDepth)
                .be(channels == 1 ? kGray : kRgb)
                .be(uint8_t{0})  // compression, filter method, interlace: the only or plain ones
                .be(uint8_t{0})
                .be(uint8_t{0})
                .take());
  put_chunk(png, "IDAT", compress_rows(height, row_bytes, pixels));
  put_chunk(png, "IEND", {});
  return png.take();
}

void write_png(const std::string& path, int width, int height, int channels,
               std::span<const uint8_t> pixels) {
  write_file(path, encode_png(width, height, channels, pixels));
}

}  // namespace tessera
