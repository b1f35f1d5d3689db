#include "tessera/files/png.h"

#include <zlib.h>

#include "data/file_fixture.h"
#include "tessera/files/crc32.h"

namespace tessera {
namespace {

using namespace tessera::testing;

uint32_t be32(const Bytes& bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value = value << 8 | std::to_integer<uint32_t>(bytes[at + i]);
  return value;
}

struct Chunk {
  std::string type;
  Bytes data;
};

/// The chunks after the signature, with their checksums verified.
std::vector<Chunk> chunks_of(const Bytes& png) {
  std::vector<Chunk> chunks;
  for (size_t at = 8; at + 12 <= png.size();) {
    const size_t length = be32(png, at);
    const Bytes body(png.begin() + at + 4, png.begin() + at + 8 + length);
    EXPECT_EQ(tessera::crc32(body), be32(png, at + 8 + length));
    const auto* letters = reinterpret_cast<const char*>(body.data());
    chunks.push_back({std::string(letters, 4), Bytes(body.begin() + 4, body.end())});
    at += length + 12;
  }
  return chunks;
}

Bytes inflate_all(const Bytes& packed, size_t size) {
  Bytes plain(size + 1);
  uLongf found = plain.size();
  EXPECT_EQ(uncompress(reinterpret_cast<Bytef*>(plain.data()), &found,
                       reinterpret_cast<const Bytef*>(packed.data()), packed.size()),
            Z_OK);
  plain.resize(found);
  return plain;
}

class PngTest : public FileTest {};

TEST_F(PngTest, GrayPixelsReadBack) {
  const std::vector<uint8_t> pixels{0, 128, 255, 1, 2, 3};
  const Bytes png = encode_png(3, 2, 1, pixels);
  EXPECT_EQ(Bytes(png.begin(), png.begin() + 8), to_bytes("\x89PNG\r\n\x1a\n"));
  const auto chunks = chunks_of(png);
  ASSERT_EQ(chunks.size(), 3u);
  EXPECT_EQ(chunks[0].type + chunks[1].type + chunks[2].type, "IHDRIDATIEND");
  EXPECT_EQ(chunks[0].data, to_bytes({0, 0, 0, 3, 0, 0, 0, 2, 8, 0, 0, 0, 0}));
  EXPECT_EQ(inflate_all(chunks[1].data, 8), to_bytes({0, 0, 128, 255, 0, 1, 2, 3}));
}

TEST_F(PngTest, ColourPixelsReadBack) {
  const std::vector<uint8_t> pixels{255, 0, 0, 0, 255, 0};
  write_png(path("a.png"), 1, 2, 3, pixels);
  const auto chunks = chunks_of(get(path("a.png")));
  ASSERT_EQ(chunks.size(), 3u);
  EXPECT_EQ(chunks[0].data, to_bytes({0, 0, 0, 1, 0, 0, 0, 2, 8, 2, 0, 0, 0}));
  EXPECT_EQ(inflate_all(chunks[1].data, 8), to_bytes({0, 255, 0, 0, 0, 0, 255, 0}));
}

TEST_F(PngTest, WrongSizesAreInternalErrors) {
  const std::vector<uint8_t> pixels(6);
  EXPECT_THROW(encode_png(3, 2, 2, pixels), Error);
  EXPECT_THROW(encode_png(3, 3, 1, pixels), Error);
  EXPECT_THROW(encode_png(0, 2, 1, {}), Error);
}

TEST_F(PngTest, UnwritablePathIsNamed) {
  const std::vector<uint8_t> pixels(1);
  expect_data_error([&] { write_png(path("none/a.png"), 1, 1, 1, pixels); },
                    "none/a.png: there is no folder");
}

}  // namespace
}  // namespace tessera
