#include "tessera/files/npy.h"

#include <algorithm>

#include "data/file_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

/// A .npy file of version `major`, its header padded with `spaces`.
Bytes npy(int major, std::string dict, const Bytes& values, int spaces = 0) {
  dict += std::string(spaces, ' ') + "\n";
  const Bytes length =
      major == 1 ? le(static_cast<uint16_t>(dict.size())) : le(static_cast<uint32_t>(dict.size()));
  return join({to_bytes("\x93NUMPY"), to_bytes({major, 0}), length, to_bytes(dict), values});
}

std::string dict(const std::string& descr, const std::string& order, const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }";
}

HostArray read(std::shared_ptr<const ByteSource> source) { return NpyFile(source).read(); }
HostArray read(const Bytes& bytes) { return read(memory(bytes)); }

// What numpy.save writes for np.array([[1, -2, 3]], dtype='<i2').
const Bytes kGolden = join({
    to_bytes({0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 0x76, 0}),
    to_bytes("{'descr': '<i2', 'fortran_order': False, 'shape': (1, 3), }"),
    to_bytes(std::string(58, ' ') + "\n"),
    to_bytes({1, 0, 0xFE, 0xFF, 3, 0}),
});

class NpyTest : public FileTest {};

TEST_F(NpyTest, GoldenBytesAreRead) {
  const auto array = read(kGolden);
  EXPECT_EQ(array.shape, (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(list(array.values<int16_t>()), (std::vector<int16_t>{1, -2, 3}));
}

TEST_F(NpyTest, WriterGivesTheGoldenBytes) {
  const std::vector<int16_t> values{1, -2, 3};
  write_npy(path("a.npy"), HostArray::from_values<int16_t>({1, 3}, values));
  EXPECT_EQ(get(path("a.npy")), kGolden);
}

TEST_F(NpyTest, EveryDtypeRoundTrips) {
  for (const HostArray& array : arrays_of_every_dtype()) {
    SCOPED_TRACE(to_string(array.dtype));
    write_npy(path("a.npy"), array);
    expect_same(read_npy(path("a.npy")), array);
  }
}

TEST_F(NpyTest, EveryShapeRoundTrips) {
  for (const auto& shape : std::vector<std::vector<int64_t>>{{}, {1}, {0}, {3, 0}, {2, 1, 3}}) {
    HostArray array{DType::U8, shape, {}};
    array.bytes.assign(array.size(), std::byte{7});
    write_npy(path("a.npy"), array);
    expect_same(read_npy(path("a.npy")), array);
  }
}

TEST_F(NpyTest, LaterVersionsHaveALongerLength) {
  const std::string text = dict("<u2", "False", "(2,)");
  for (const int major : {1, 2, 3}) {
    const auto array = read(npy(major, text, to_bytes({1, 2, 3, 4}), 100));
    EXPECT_EQ(list(array.values<uint16_t>()), (std::vector<uint16_t>{0x0201, 0x0403}));
  }
}

TEST_F(NpyTest, BigEndianIsTurned) {
  const std::vector<std::string> codes{"f4", "f8", "u1", "i1", "u2", "i2",
                                       "u4", "i4", "u8", "i8", "f2", "b1"};
  const auto arrays = arrays_of_every_dtype();
  for (size_t i = 0; i < arrays.size(); ++i) {
    SCOPED_TRACE(codes[i]);
    const auto item = item_size(arrays[i].dtype);
    Bytes values = arrays[i].bytes;
    for (auto at = values.begin(); at != values.end(); at += item) std::reverse(at, at + item);
    expect_same(read(npy(1, dict(">" + codes[i], "False", "(2, 3)"), values)), arrays[i]);
  }
}

TEST_F(NpyTest, FortranOrderBecomesRowMajor) {
  // The columns of [[1, 2, 3], [4, 5, 6]], one after another.
  const auto array = read(npy(1, dict("|u1", "True", "(2, 3)"), to_bytes({1, 4, 2, 5, 3, 6})));
  EXPECT_EQ(list(array.values<uint8_t>()), (std::vector<uint8_t>{1, 2, 3, 4, 5, 6}));
}

TEST_F(NpyTest, FortranOrderOfEveryItemSizeAndRankThree) {
  const std::vector<int64_t> shape{2, 3, 4};
  for (const char* code : {"u1", "u2", "u4", "u8"}) {
    const size_t item = code[1] - '0';
    Bytes fortran(24 * item), expected(24 * item);
    for (int i = 0; i < 2; ++i) {
      for (int j = 0; j < 3; ++j) {
        for (int k = 0; k < 4; ++k) {
          fortran[(i + 2 * j + 6 * k) * item] = static_cast<std::byte>(i * 100 + j * 10 + k);
          expected[(i * 12 + j * 4 + k) * item] = static_cast<std::byte>(i * 100 + j * 10 + k);
        }
      }
    }
    const auto array = read(npy(1, dict(std::string("<") + code, "True", "(2, 3, 4)"), fortran));
    EXPECT_EQ(array.shape, shape);
    EXPECT_EQ(array.bytes, expected) << code;
  }
}

TEST_F(NpyTest, RowRangeIsThatOfTheWhole) {
  Bytes values(2 * 4 * 3 * 2);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::byte>(i);
  for (const char* order : {"False", "True"}) {
    const Bytes bytes = npy(1, dict(">u2", order, "(4, 3, 2)"), values);
    const NpyFile file(memory(bytes));
    const Bytes whole = file.read().bytes;
    for (int64_t first = 0; first <= 4; ++first) {
      for (int64_t last = first; last <= 4; ++last) {
        const auto rows = file.read_rows(first, last);
        EXPECT_EQ(rows.shape, (std::vector<int64_t>{last - first, 3, 2}));
        EXPECT_EQ(rows.bytes, Bytes(whole.begin() + first * 12, whole.begin() + last * 12));
      }
    }
  }
}

TEST_F(NpyTest, RowRangeOutsideIsAnInternalError) {
  const NpyFile file(memory(kGolden));
  EXPECT_THROW(file.read_rows(0, 2), Error);
  EXPECT_THROW(file.read_rows(-1, 1), Error);
  EXPECT_THROW(file.read_rows(1, 0), Error);
}

TEST_F(NpyTest, RowsOfAFileLargerThanMemoryAreRead) {
  // 2^40 bytes, of which all but the first few are a hole that takes no space.
  const Bytes header = npy(1, dict("<f4", "False", "(1073741824, 256)"), {});
  put("a.npy", header);
  std::error_code error;
  std::filesystem::resize_file(path("a.npy"), header.size() + (uint64_t{1} << 40), error);
  if (error) GTEST_SKIP() << "no sparse files here: " << error.message();
  EXPECT_EQ(probe_npy(path("a.npy")).shape, (std::vector<int64_t>{1 << 30, 256}));
  EXPECT_EQ(NpyFile(path("a.npy")).read_rows((1 << 30) - 2, 1 << 30).size(), 512);
}

TEST_F(NpyTest, ProbeTellsTypeOrderAndOffset) {
  const std::string text = dict(">i4", "True", "(1, 2)");
  const auto info = probe_npy(put("a.npy", npy(1, text, Bytes(8), 3)));
  EXPECT_EQ(info.dtype, DType::I32);
  EXPECT_TRUE(info.big_endian);
  EXPECT_TRUE(info.fortran_order);
  EXPECT_EQ(info.data_offset, static_cast<int64_t>(10 + text.size() + 3 + 1));
}

TEST_F(NpyTest, HeaderMayUseOtherQuotesOrderAndSpaces) {
  const auto array =
      read(npy(1, "{ \"shape\":( 2L , ) ,'fortran_order':False,\"descr\" : '|i1'}", Bytes(2)));
  EXPECT_EQ(array.shape, std::vector<int64_t>{2});
  EXPECT_EQ(array.dtype, DType::I8);
}

TEST_F(NpyTest, DamagedHeadersAreNamed) {
  const auto refuse = [](const std::string& text, std::string_view part) {
    SCOPED_TRACE(text);
    expect_data_error([&] { read(npy(1, text, Bytes(4))); }, part);
  };
  refuse("", "character 1 of the .npy header should be '{', found its end");
  refuse("{}", "lacks one of descr, fortran_order and shape");
  refuse("{'descr': '<f4', 'shape': (1,)}", "lacks one of");
  refuse("{'descr': '<f4' 'shape': (1,)}", "should be '}', found ''shape': (1,)}");
  refuse("{'descr': '<f4', 'descr': '<f4'}", "has 'descr' twice");
  refuse("{'extra': 1}", "unknown key 'extra'");
  refuse("{'descr': '<f4", "a quoted text that ends");
  refuse("{,}", "should be a quoted text");
  refuse(dict("<f4", "false", "(1,)"), "should be True or False");
  refuse(dict("<f4", "0", "(1,)"), "should be True or False");
  refuse(dict("<f4", "False", "(1,)") + "x", "should be spaces, found 'x");
  refuse(dict("<f4", "False", "(1)"), "the shape (1) of the .npy header is not a tuple");
  refuse(dict("<f4", "False", "1"), "should be '('");
  refuse(dict("<f4", "False", "(-1,)"), "should be a dimension of 0 or more, found '-1,)");
  refuse(dict("<f4", "False", "(1.0,)"), "should be ','");
  refuse(dict("<f4", "False", "(01,)"), "without leading zeros");
  refuse(dict("<f4", "False", "(,)"), "should be a dimension");
  refuse(dict("<f4", "False", "(9223372036854775808,)"), "is 2^63 or more");
}

TEST_F(NpyTest, UnsupportedTypesAreNamed) {
  for (const char* descr : {"|O", "<U3", "<c8", "<f16", "=f4", "|f4", "f4", "", "<M8[ns]", "?"}) {
    expect_data_error([&] { read(npy(1, dict(descr, "False", "(1,)"), Bytes(4))); },
                      "elements of type '" + std::string(descr) + "' are not supported");
  }
  expect_data_error(
      [&] { read(npy(1, "{'descr': [('x', '<f4')], 'fortran_order': False}", Bytes(4))); },
      "a structured array; save each field");
}

TEST_F(NpyTest, OtherVersionsAreRefused) {
  for (const int major : {0, 4, 255}) {
    expect_data_error([&] { read(npy(major, dict("|u1", "False", "(1,)"), Bytes(1))); },
                      "sample: .npy version " + std::to_string(major) + ".0");
  }
}

TEST_F(NpyTest, WrongMagicIsShown) {
  expect_data_error([&] { read(to_bytes("\x89HDF\r\n\x1a\n and more")); },
                    "sample: starts with '\\x89HDF\\x0d\\x0a', not with \\x93NUMPY");
}

TEST_F(NpyTest, HugeShapesFailWithoutAllocating) {
  const auto refuse = [](const std::string& shape, std::string_view part) {
    expect_data_error([&] { read(npy(1, dict("<f8", "False", shape), Bytes(8))); }, part);
  };
  refuse("(1125899906842624,)", "8 bytes of values, but [1125899906842624] of F64 takes 900719925");
  refuse("(4294967296, 4294967296)", "more than 2^63 bytes");
  refuse("(0, 4294967296, 4294967296)", "more than 2^63 bytes");
  std::string many = "(";
  for (int i = 0; i < 65; ++i) many += "1, ";
  refuse(many + ")", "more than 64 dimensions");
}

TEST_F(NpyTest, HugeHeaderLengthFailsWithoutAllocating) {
  const Bytes bytes = join({to_bytes("\x93NUMPY\x02"), to_bytes({0}), le(0xFFFFFFF0u), Bytes(20)});
  expect_data_error([&] { read(bytes); }, "header should take 4294967280 bytes of 32");
}

TEST_F(NpyTest, OtherLengthsAreRefused) {
  const auto read_it = [](auto source) { read(source); };
  expect_exact_length(kGolden, read_it);
  expect_exact_length(npy(2, dict(">f4", "True", "(2, 1)"), Bytes(8)), read_it);
}

TEST_F(NpyTest, FlippedHeaderBitsNeverCrash) {
  const int refused =
      count_refused_flips(kGolden, kGolden.size() - 6, [](auto source) { read(source); });
  // Padding is 58 bytes; most other bits matter.
  EXPECT_GT(refused, 8 * 100);
}

TEST_F(NpyTest, MissingFileAndFolderAreNamed) {
  expect_data_error([&] { read_npy(path("none.npy")); }, "none.npy: no such file; check the path");
  expect_data_error([&] { read_npy(folder_.string()); },
                    folder_.string() + ": is a folder; name a file in it");
  expect_data_error([&] { read_npy("/dev/null"); }, "/dev/null: is not a regular file");
}

TEST_F(NpyTest, WriterTakesBlocks) {
  const std::vector<int64_t> shape{2, 2};
  NpyWriter writer(path("a.npy"), DType::U8, shape);
  writer.append(to_bytes({1, 2, 3}));
  writer.append(to_bytes({4}));
  writer.commit();
  EXPECT_EQ(read_npy(path("a.npy")).bytes, to_bytes({1, 2, 3, 4}));
}

TEST_F(NpyTest, WriterWithoutCommitLeavesTheOldFile) {
  write_npy(path("a.npy"), HostArray{DType::U8, {1}, to_bytes({9})});
  {
    const std::vector<int64_t> shape{2};
    NpyWriter writer(path("a.npy"), DType::U8, shape);
    writer.append(to_bytes({1}));
    EXPECT_THROW(writer.commit(), Error);
  }
  EXPECT_EQ(read_npy(path("a.npy")).bytes, to_bytes({9}));
  EXPECT_EQ(listing(), std::vector<std::string>{"a.npy"});
}

TEST_F(NpyTest, WriterRefusesTooManyValues) {
  const std::vector<int64_t> shape{1};
  NpyWriter writer(path("a.npy"), DType::U8, shape);
  EXPECT_THROW(writer.append(Bytes(2)), Error);
}

}  // namespace
}  // namespace tessera
