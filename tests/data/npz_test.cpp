#include "tessera/files/npz.h"

#include <zlib.h>

#include "data/file_fixture.h"
#include "tessera/files/crc32.h"

namespace tessera {
namespace {

using namespace tessera::testing;

// The .npy file of np.array([[1, -2, 3]], dtype='<i2').
const Bytes kNpy = join({
    to_bytes({0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 0x76, 0}),
    to_bytes("{'descr': '<i2', 'fortran_order': False, 'shape': (1, 3), }"),
    to_bytes(std::string(58, ' ') + "\n"),
    to_bytes({1, 0, 0xFE, 0xFF, 3, 0}),
});

// What numpy.savez(file, a=that array) writes: 64-bit sizes before the data, 32-bit at the end.
const Bytes kGoldenNpz = join({
    to_bytes({'P', 'K', 3, 4, 20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0, 0xE0, 0x36, 0x12, 0x78}),
    to_bytes({0x86, 0, 0, 0, 0x86, 0, 0, 0, 5, 0, 20, 0, 'a', '.', 'n', 'p', 'y'}),
    to_bytes({1, 0, 16, 0, 0x86, 0, 0, 0, 0, 0, 0, 0, 0x86, 0, 0, 0, 0, 0, 0, 0}),
    kNpy,
    to_bytes({'P', 'K', 1, 2, 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0, 0xE0, 0x36, 0x12, 0x78}),
    to_bytes({0x86, 0, 0, 0, 0x86, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 1}),
    to_bytes({0, 0, 0, 0, 'a', '.', 'n', 'p', 'y'}),
    to_bytes({'P', 'K', 5, 6, 0, 0, 0, 0, 1, 0, 1, 0, 51, 0, 0, 0, 0xBD, 0, 0, 0, 0, 0}),
});

Bytes deflate_raw(const Bytes& plain) {
  z_stream stream = {};
  deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY);
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

/// One member of a zip archive without 64-bit fields; a test changes what it is about.
struct Member {
  std::string name = "a.npy";
  Bytes data = kNpy;  // as packed
  uint16_t method = 0, flags = 0;
  uint32_t crc = tessera::crc32(kNpy), bytes = kNpy.size();
  std::string local_name = name;
};

Member deflated(const Bytes& plain) {
  return {"a.npy", deflate_raw(plain),    8,
          0,       tessera::crc32(plain), static_cast<uint32_t>(plain.size())};
}

Bytes zip(const std::vector<Member>& members, const std::string& comment = "") {
  Bytes file, directory;
  for (const Member& m : members) {
    const auto offset = static_cast<uint32_t>(file.size());
    const auto common = [&](const std::string& name) {
      return join({le(m.flags), le(m.method), Bytes(4), le(m.crc),
                   le(static_cast<uint32_t>(m.data.size())), le(m.bytes),
                   le(static_cast<uint16_t>(name.size())), Bytes(2)});
    };
    file = join({file, to_bytes("PK\3\4"), le(uint16_t{20}), common(m.local_name),
                 to_bytes(m.local_name), m.data});
    directory = join({directory, to_bytes("PK\1\2"), le(uint32_t{20}), common(m.name), Bytes(10),
                      le(offset), to_bytes(m.name)});
  }
  const auto count = static_cast<uint16_t>(members.size());
  return join({file, directory, to_bytes("PK\5\6"), Bytes(4), le(count), le(count),
               le(static_cast<uint32_t>(directory.size())), le(static_cast<uint32_t>(file.size())),
               le(static_cast<uint16_t>(comment.size())), to_bytes(comment)});
}

HostArray read_member(std::shared_ptr<const ByteSource> source) { return NpzFile(source).read("a"); }
HostArray read_member(const Bytes& bytes) { return read_member(memory(bytes)); }

void refuse(const Member& member, std::string_view part) {
  const Bytes bytes = zip({member});
  expect_data_error([&] { read_member(bytes); }, part);
}

class NpzTest : public FileTest {};

TEST_F(NpzTest, GoldenBytesAreRead) {
  const auto array = read_member(kGoldenNpz);
  EXPECT_EQ(array.shape, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(list(array.values<int16_t>()), (std::vector<int16_t>{1, -2, 3}));
}

TEST_F(NpzTest, DeflatedMemberIsRead) {
  EXPECT_EQ(read_member(zip({deflated(kNpy)})).bytes, to_bytes({1, 0, 0xFE, 0xFF, 3, 0}));
}

TEST_F(NpzTest, LargeDeflatedMemberIsRead) {
  // Larger than the 64 KiB that are inflated at a time, and hard to pack.
  std::vector<uint32_t> values(50'000, 1);
  for (size_t i = 1; i < values.size(); ++i) values[i] = values[i - 1] * 1664525u + 1013904223u;
  write_npz(path("a.npz"),
            std::vector{view_of("a", HostArray::from_values<uint32_t>({50'000}, values))});
  const Bytes stored = get(path("a.npz"));
  const size_t npy_start = 30 + 5 + 20, npy_bytes = 128 + 200'000;
  const Bytes npy(stored.begin() + npy_start, stored.begin() + npy_start + npy_bytes);
  EXPECT_EQ(list(read_member(zip({deflated(npy)})).values<uint32_t>()), values);
}

TEST_F(NpzTest, EveryDtypeRoundTrips) {
  std::vector<ArrayView> views;
  const auto arrays = arrays_of_every_dtype();
  for (const auto& array : arrays)
    views.push_back(view_of(std::string(to_string(array.dtype)), array));
  write_npz(path("a.npz"), views);
  const NpzFile archive(path("a.npz"));
  ASSERT_EQ(archive.names().size(), arrays.size());
  for (size_t i = 0; i < arrays.size(); ++i) {
    EXPECT_EQ(archive.names()[i], views[i].name);
    EXPECT_EQ(archive.info(views[i].name).shape, arrays[i].shape);
    expect_same(archive.read(views[i].name), arrays[i]);
  }
}

TEST_F(NpzTest, EmptyArchiveAndEmptyArrayRoundTrip) {
  write_npz(path("none.npz"), {});
  EXPECT_TRUE(NpzFile(path("none.npz")).names().empty());
  const HostArray empty{DType::F32, {0, 3}, {}};
  write_npz(path("a.npz"), std::vector{view_of("a", empty)});
  expect_same(NpzFile(path("a.npz")).read("a"), empty);
}

TEST_F(NpzTest, SameArraysGiveTheSameBytes) {
  const HostArray array{DType::U8, {2}, to_bytes({1, 2})};
  write_npz(path("a.npz"), std::vector{view_of("a", array)});
  write_npz(path("b.npz"), std::vector{view_of("a", array)});
  EXPECT_EQ(get(path("a.npz")), get(path("b.npz")));
}

TEST_F(NpzTest, CommentAndOtherMembersAreLeftAlone) {
  Member text;
  text.name = text.local_name = "readme.txt";
  const Bytes bytes = zip({text, Member{}}, "a comment with PK\5\6 in it");
  const NpzFile archive(memory(bytes));
  EXPECT_EQ(archive.names(), std::vector<std::string>{"a"});
  EXPECT_EQ(archive.read("a").size(), 3);
}

TEST_F(NpzTest, UnknownNameListsTheKnown) {
  const NpzFile archive(memory(kGoldenNpz));
  expect_data_error([&] { archive.read("b"); }, "sample: no array 'b' among 1; choose one of: 'a'");
}

TEST_F(NpzTest, WrongChecksumIsRefused) {
  Member member;
  member.crc ^= 1;
  refuse(member, "sample:a: CRC-32");
  Member packed = deflated(kNpy);
  packed.crc ^= 1;
  refuse(packed, "sample:a: CRC-32");
}

TEST_F(NpzTest, SizeThatDisagreesWithTheArrayIsRefused) {
  Member longer = deflated(join({kNpy, Bytes(1)}));
  refuse(longer, "7 bytes of values, but [1, 3] of I16 takes 6");
  Member says_less = deflated(join({kNpy, Bytes(1)}));
  says_less.bytes -= 1;
  refuse(says_less, "goes on after the expected 134 bytes");
  Member says_more = deflated(Bytes(kNpy.begin(), kNpy.end() - 1));
  says_more.bytes += 1;
  refuse(says_more, "the compressed data ends after");
}

TEST_F(NpzTest, ImpossibleSizesFailWithoutAllocating) {
  Member stored;
  stored.bytes = 0xF0000000;
  refuse(stored, "should unpack to 4026531840 bytes from 134, which is impossible");
  Member packed = deflated(kNpy);
  packed.bytes = 0xF0000000;
  refuse(packed, "which is impossible");
}

TEST_F(NpzTest, BytesAfterTheCompressedDataAreRefused) {
  Member member = deflated(kNpy);
  member.data.push_back(std::byte{0});
  refuse(member, "1 bytes follow the compressed data");
}

TEST_F(NpzTest, UnsupportedMembersAreNamed) {
  Member method;
  method.method = 12;
  refuse(method, "sample: 'a' has zip method 12");
  Member secret;
  secret.flags = 1;
  refuse(secret, "sample: 'a' is encrypted");
  Member other_name;
  other_name.local_name = "b.npy";
  refuse(other_name, "the zip directory leads to 'b.npy'");
}

TEST_F(NpzTest, RepeatedNameIsRefused) {
  const Bytes bytes = zip({Member{}, Member{}});
  expect_data_error([&] { read_member(bytes); }, "sample: 'a' stands twice");
}

TEST_F(NpzTest, OtherFilesAreRefused) {
  expect_data_error([] { read_member(Bytes(100)); }, "sample: no zip directory at the end");
  expect_data_error([] { read_member(Bytes(3)); }, "sample: 3 bytes are too few");
  expect_data_error([&] { NpzFile(path("none.npz")); }, "none.npz: no such file");
  expect_data_error([&] { NpzFile(folder_.string()); }, "is a folder");
}

TEST_F(NpzTest, OtherLengthsAreRefused) {
  const auto read_it = [](auto source) { read_member(source); };
  expect_exact_length(kGoldenNpz, read_it);
  expect_exact_length(zip({deflated(kNpy)}), read_it);
  const HostArray array{DType::U8, {2}, to_bytes({1, 2})};
  write_npz(path("a.npz"), std::vector{view_of("a", array)});
  expect_exact_length(get(path("a.npz")), read_it);  // 64-bit records
}

TEST_F(NpzTest, FlippedBitsNeverCrash) {
  const HostArray array{DType::U8, {2}, to_bytes({1, 2})};
  write_npz(path("a.npz"), std::vector{view_of("a", array)});
  for (const Bytes& bytes : {kGoldenNpz, zip({deflated(kNpy)}), get(path("a.npz"))}) {
    const int refused = count_refused_flips(bytes, bytes.size(), [](auto source) {
      const auto found = read_member(source);
      EXPECT_EQ(static_cast<int64_t>(found.bytes.size()), found.size() * item_size(found.dtype));
    });
    // At least every bit of the array's own file, which the CRC covers.
    EXPECT_GE(refused, 8 * 40);
  }
}

TEST_F(NpzTest, WriterRefusesRepeatedAndEmptyNames) {
  const HostArray array{DType::U8, {2}, to_bytes({1, 2})};
  expect_data_error(
      [&] {
        write_npz(path("a.npz"), std::vector{view_of("x", array), view_of("x", array)});
      },
      "array name 'x' is empty, too long or repeated");
  expect_data_error([&] { write_npz(path("a.npz"), std::vector{view_of("", array)}); }, "''");
  EXPECT_TRUE(listing().empty());
}

}  // namespace
}  // namespace tessera
