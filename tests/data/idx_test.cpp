#include "tessera/files/idx.h"

#include <zlib.h>

#include "data/file_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

// Two pictures of 1 x 3 bytes, as the MNIST files write them.
const Bytes kGoldenIdx = to_bytes({0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6});

Bytes gzip(const Bytes& plain) {
  z_stream stream = {};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  Bytes packed(deflateBound(&stream, plain.size()));
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(plain.data()));
  stream.avail_in = plain.size();
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = packed.size();
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

HostArray read_images(const Bytes& bytes) { return read_idx(memory(bytes)); }

void read_source(std::shared_ptr<const ByteSource> source) { read_idx(std::move(source)); }

class IdxTest : public FileTest {};

TEST_F(IdxTest, GoldenBytesAreRead) {
  const auto array = read_idx(put("images", kGoldenIdx));
  EXPECT_EQ(array.shape, (std::vector<int64_t>{2, 1, 3}));
  EXPECT_EQ(list(array.values<uint8_t>()), (std::vector<uint8_t>{1, 2, 3, 4, 5, 6}));
}

TEST_F(IdxTest, GzipIsToldByContent) {
  expect_same(read_idx(put("images-without-gz", gzip(kGoldenIdx))), read_images(kGoldenIdx));
}

TEST_F(IdxTest, EveryTypeIsTurnedFromBigEndian) {
  const auto one = [](int type, std::initializer_list<int> value) {
    return read_images(join({to_bytes({0, 0, type, 1, 0, 0, 0, 1}), to_bytes(value)}));
  };
  EXPECT_EQ(one(0x08, {200}).values<uint8_t>()[0], 200);
  EXPECT_EQ(one(0x09, {0xFE}).values<int8_t>()[0], -2);
  EXPECT_EQ(one(0x0B, {0xFF, 0xFE}).values<int16_t>()[0], -2);
  EXPECT_EQ(one(0x0C, {1, 2, 3, 4}).values<int32_t>()[0], 0x01020304);
  EXPECT_EQ(one(0x0D, {0xBF, 0x80, 0, 0}).values<float>()[0], -1.f);
  EXPECT_EQ(one(0x0E, {0x3F, 0xF0, 0, 0, 0, 0, 0, 0}).values<double>()[0], 1.0);
}

TEST_F(IdxTest, EmptyArrayIsRead) {
  EXPECT_EQ(read_images(to_bytes({0, 0, 8, 2, 0, 0, 0, 0, 0, 0, 0, 5})).shape,
            (std::vector<int64_t>{0, 5}));
}

TEST_F(IdxTest, WrongMagicIsShown) {
  expect_data_error(
      [] {
        read_images(to_bytes({0, 0, 0x0A, 1, 0, 0, 0, 0}));
      },
      "sample: starts with '\\x00\\x00\\x0a\\x01', not with 0, 0, a type");
  expect_data_error([] { read_images(to_bytes({0, 1, 8, 1, 0, 0, 0, 0})); }, "not an IDX file");
  expect_data_error([] { read_images(to_bytes({0, 0, 8, 0})); }, "not an IDX file");
  expect_data_error([] { read_images(gzip(to_bytes("some text"))); }, "starts with 'some'");
}

TEST_F(IdxTest, HugeShapesFailWithoutAllocating) {
  const Bytes wide =
      join({to_bytes({0, 0, 8, 2}), Bytes(4, std::byte{0x7F}), Bytes(4, std::byte{1})});
  const Bytes overflowing = join({to_bytes({0, 0, 14, 3}), Bytes(12, std::byte{0xFF})});
  for (const Bytes& bytes : {wide, gzip(wide)}) {
    expect_data_error([&] { read_images(bytes); }, "bytes can hold; it is truncated or damaged");
  }
  for (const Bytes& bytes : {overflowing, gzip(overflowing)}) {
    expect_data_error([&] { read_images(bytes); }, "more than 2^63 bytes");
  }
}

TEST_F(IdxTest, OtherLengthsAreRefused) {
  expect_exact_length(kGoldenIdx, read_source);
  expect_exact_length(gzip(kGoldenIdx), read_source);
}

TEST_F(IdxTest, InflatingStopsAtTheLengthTheHeaderTells) {
  // 4 MiB of zeros behind an array of 6 bytes.
  const Bytes bomb = gzip(join({kGoldenIdx, Bytes(4 << 20)}));
  expect_data_error([&] { read_images(bomb); }, "goes on after the expected 22 bytes");
  expect_data_error([] { read_images(gzip(Bytes(kGoldenIdx.begin(), kGoldenIdx.end() - 1))); },
                    "ends after 21 bytes where 1 more are needed");
}

TEST_F(IdxTest, DamagedGzipIsRefused) {
  Bytes bytes = gzip(kGoldenIdx);
  bytes[bytes.size() - 8] ^= std::byte{1};  // its CRC-32
  expect_data_error([&] { read_images(bytes); }, "the compressed data is damaged after 22 bytes");
}

TEST_F(IdxTest, FlippedBitsNeverCrash) {
  EXPECT_GT(count_refused_flips(kGoldenIdx, 16, read_source), 8 * 14);
  const Bytes packed = gzip(kGoldenIdx);
  EXPECT_GT(count_refused_flips(packed, packed.size(), read_source), 8 * 20);
}

TEST_F(IdxTest, MissingFileAndFolderAreNamed) {
  expect_data_error([&] { read_idx(path("none")); }, "none: no such file");
  expect_data_error([&] { read_idx(folder_.string()); }, "is a folder");
}

}  // namespace
}  // namespace tessera
