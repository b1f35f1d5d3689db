#include "tessera/files/safetensors.h"

#include <sys/resource.h>

#include <csignal>

#include "data/file_fixture.h"

namespace tessera {
namespace {

using namespace tessera::testing;

Bytes file_of(const std::string& header, const Bytes& values) {
  return join({le(uint64_t{header.size()}), to_bytes(header), values});
}

// One tensor w = [[1, -2]] in F32 with one metadata entry, written out by hand.
const std::string kGoldenHeader =
    R"({"__metadata__":{"format":"1"},"w":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}})"
    "  ";
const Bytes kGolden = join({to_bytes({88, 0, 0, 0, 0, 0, 0, 0}), to_bytes(kGoldenHeader),
                            to_bytes({0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0})});

void refuse(const std::string& header, const Bytes& values, std::string_view part) {
  SCOPED_TRACE(header);
  const Bytes bytes = file_of(header, values);
  expect_data_error([&] { SafetensorsFile{memory(bytes)}; }, part);
}

/// One tensor's entry.
std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

class SafetensorsTest : public FileTest {};

TEST_F(SafetensorsTest, GoldenBytesAreRead) {
  const SafetensorsFile file(memory(kGolden));
  EXPECT_EQ(file.names(), std::vector<std::string>{"w"});
  EXPECT_EQ(file.metadata().at("format"), "1");
  EXPECT_EQ(file.info("w").offset, 96);
  EXPECT_EQ(file.info("w").bytes, 8);
  EXPECT_FALSE(file.has_checksum("w"));
  const auto array = file.read("w");
  EXPECT_EQ(array.shape, (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(list(array.values<float>()), (std::vector<float>{1, -2}));
}

TEST_F(SafetensorsTest, WriterGivesTheGoldenBytes) {
  const float values[] = {1, -2};
  write_safetensors(path("a"), std::vector{ArrayView{"w", DType::F32, {1, 2}, values}},
                    {{"format", "1"}});
  EXPECT_EQ(get(path("a")), kGolden);
}

TEST_F(SafetensorsTest, EveryDtypeRoundTripsAligned) {
  const auto arrays = arrays_of_every_dtype();
  std::vector<ArrayView> views;
  for (const auto& array : arrays) {
    views.push_back(view_of("t/" + std::string(to_string(array.dtype)), array));
  }
  write_safetensors(path("a"), views);
  const SafetensorsFile file(path("a"));
  ASSERT_EQ(file.names().size(), arrays.size());
  for (size_t i = 0; i < arrays.size(); ++i) {
    expect_same(file.read(views[i].name), arrays[i]);
    EXPECT_EQ(file.info(views[i].name).offset % item_size(arrays[i].dtype), 0);
  }
}

TEST_F(SafetensorsTest, OrderIsKeptAmongEqualWidths) {
  const float value = 1;
  const double wide = 1;
  write_safetensors(path("a"), std::vector<ArrayView>{{"z", DType::F32, {1}, &value},
                                                      {"a", DType::F32, {}, &value},
                                                      {"m", DType::F64, {1}, &wide}});
  EXPECT_EQ(SafetensorsFile(path("a")).names(), (std::vector<std::string>{"m", "z", "a"}));
}

TEST_F(SafetensorsTest, NoTensorsAndEmptyTensorsRoundTrip) {
  write_safetensors(path("none"), {});
  EXPECT_TRUE(SafetensorsFile(path("none")).names().empty());
  const HostArray empty{DType::F32, {3, 0}, {}};
  write_safetensors(path("a"), std::vector{view_of("e", empty), view_of("f", empty)});
  expect_same(SafetensorsFile(path("a")).read("f"), empty);
}

TEST_F(SafetensorsTest, MetadataKeepsAnyText) {
  const std::map<std::string, std::string> metadata{{"config", "{\"a\": \"b\\n\"}\n\t\"\""},
                                                    {"\xC3\xA4", "\xE2\x82\xAC"}};
  write_safetensors(path("a"), {}, metadata);
  EXPECT_EQ(SafetensorsFile(path("a")).metadata(), metadata);
}

TEST_F(SafetensorsTest, DamagedLayoutsAreNamed) {
  const auto two = [](const std::string& a, const std::string& b) {
    return R"({"a":)" + entry("U8", "[2]", a) + R"(,"b":)" + entry("U8", "[2]", b) + "}";
  };
  refuse(two("[0,2]", "[3,5]"), Bytes(5), "'b' starts at byte 116 of the file, 115 is expected");
  refuse(two("[0,2]", "[3,5]"), Bytes(5), "tensors leave a gap");
  refuse(two("[0,2]", "[1,3]"), Bytes(3), "tensors overlap");
  refuse(two("[0,2]", "[2,4]"), Bytes(5), "tensors end at byte 117 of 118");
  refuse(two("[0,2]", "[2,4]"), Bytes(3), "are [2, 4] in 3 bytes of values; the file is truncated");
  refuse(two("[0,2]", "[2,5]"), Bytes(5), "tensor 'b' has 3 bytes, but [2] of U8 takes 2");
  refuse(two("[0,2]", "[4,2]"), Bytes(4), "data_offsets of tensor 'b' are [4, 2]");
  refuse(two("[0,2]", "[2]"), Bytes(4), "data_offsets of tensor 'b' are [2]");
  refuse("{}", Bytes(1), "tensors end at byte 10 of 11");
}

TEST_F(SafetensorsTest, DamagedEntriesAreNamed) {
  const auto one = [](const std::string& text) { return R"({"w":)" + text + "}"; };
  refuse(one(entry("BF16", "[1]", "[0,2]")), Bytes(2), "tensor 'w' has dtype '\"BF16\"'; convert");
  refuse(one(entry("F32", "[-1]", "[0,4]")), Bytes(4), "shape of tensor 'w' is '[-1]'");
  refuse(one(entry("F32", "[1.0]", "[0,4]")), Bytes(4), "shape of tensor 'w' is '[1.0]'");
  refuse(one(entry("F32", "1", "[0,4]")), Bytes(4), "shape of tensor 'w' is '1'");
  refuse(one(entry("F32", "[\"1\"]", "[0,4]")), Bytes(4), "a list of integers");
  refuse(one(entry("F32", "[18446744073709551615]", "[0,4]")), Bytes(4), "a list of integers");
  refuse(one(entry("F32", "[1]", "[0,1e1]")), Bytes(4), "data_offsets of tensor 'w'");
  refuse(one("1"), Bytes(4), "needs dtype, shape and data_offsets and nothing else");
  refuse(one(R"({"dtype":"F32","shape":[],"x":[0,4]})"), Bytes(4), "has no data_offsets");
  refuse(one(R"({"dtype":7,"shape":[],"data_offsets":[0,4]})"), Bytes(4), "has dtype '7'");
  refuse(R"({"__metadata__":[]})", {}, "__metadata__ is not an object");
  refuse(R"({"__metadata__":{"a":1}})", {}, "__metadata__ entry 'a' is not a text");
}

TEST_F(SafetensorsTest, RepeatedKeysAreRefused) {
  const std::string empty = entry("U8", "[0]", "[0,0]");
  refuse(R"({"w":)" + empty + R"(,"w":)" + empty + "}", {}, "'w' stands twice");
  refuse(R"({"__metadata__":{"a":"1","a":"2"}})", {}, "'a' stands twice");
  refuse(R"({"w":{"dtype":"U8","dtype":"U8"}})", {}, "'dtype' stands twice");
}

TEST_F(SafetensorsTest, BrokenJsonIsRefused) {
  refuse("{", {}, "sample: the header is not valid JSON");
  refuse("{\"\xFF\":1}", {}, "not valid JSON");
  refuse("{\"a\":1e999}", {}, "not valid JSON");
  refuse("{} {}", {}, "not valid JSON");
  refuse("[]", {}, "the header starts with '['");
  refuse("", {}, "the header starts with ''");
  refuse("{\"a\":" + std::string(100'000, '['), {}, "nested");
}

TEST_F(SafetensorsTest, HugeNumbersFailWithoutAllocating) {
  const auto tensor = [](const std::string& shape, const std::string& offsets) {
    return R"({"w":)" + entry("F64", shape, offsets) + "}";
  };
  refuse(tensor("[1125899906842624]", "[0,8]"), Bytes(8), "takes 9007199254740992");
  refuse(tensor("[1125899906842624]", "[0,9007199254740992]"), Bytes(8), "in 8 bytes of values");
  refuse(tensor("[4294967296,4294967296]", "[0,8]"), Bytes(8), "more than 2^63 bytes");
  const Bytes long_header = join({le(~uint64_t{0}), to_bytes("{}")});
  expect_data_error([&] { SafetensorsFile{memory(long_header)}; },
                    "a header of 18446744073709551615 bytes in a file of 10");
}

TEST_F(SafetensorsTest, HeaderOver100MegabytesIsRefused) {
  put("a", le(uint64_t{100'000'001}));
  std::filesystem::resize_file(path("a"), 200'000'000);  // a hole
  expect_data_error([&] { SafetensorsFile{path("a")}; }, "a header of 100000001 bytes");
}

TEST_F(SafetensorsTest, OtherLengthsAreRefused) {
  expect_exact_length(kGolden, [](auto source) { SafetensorsFile{source}; });
}

TEST_F(SafetensorsTest, FlippedHeaderBitsNeverCrash) {
  const int refused = count_refused_flips(kGolden, kGolden.size() - 8, [](auto source) {
    const SafetensorsFile file(source);
    for (const auto& name : file.names()) file.read(name);
  });
  EXPECT_GT(refused, 8 * 60);
}

TEST_F(SafetensorsTest, MissingThingsAreNamed) {
  const SafetensorsFile file(memory(kGolden));
  EXPECT_FALSE(file.contains("v"));
  expect_data_error([&] { file.read("v"); }, "sample: no tensor 'v' among 1");
  expect_data_error([&] { SafetensorsFile{path("none")}; }, "no such file");
  expect_data_error([&] { SafetensorsFile{folder_.string()}; }, "is a folder");
}

TEST_F(SafetensorsTest, ListedChecksumIsCheckedOnRead) {
  const float values[] = {1, -2};
  const std::vector<ArrayView> tensors{{"w", DType::F32, {2}, values}};
  write_safetensors(path("a"), tensors, {{"crc32", checksums_json(tensors)}});
  Bytes bytes = get(path("a"));
  EXPECT_TRUE(SafetensorsFile(memory(bytes)).has_checksum("w"));
  EXPECT_NO_THROW(SafetensorsFile(memory(bytes)).read("w"));
  bytes.back() ^= std::byte{1};
  expect_data_error([&] { SafetensorsFile(memory(bytes)).read("w"); }, "tensor 'w' has CRC-32");
}

TEST_F(SafetensorsTest, ForeignChecksumEntryIsIgnored) {
  const float value = 1;
  const std::vector<ArrayView> tensors{{"w", DType::F32, {1}, &value}};
  for (const char* text : {"not json", "[1]", R"({"w":"123"})", R"({"w":7})"}) {
    write_safetensors(path("a"), tensors, {{"crc32", text}});
    EXPECT_EQ(SafetensorsFile(path("a")).read("w").size(), 1) << text;
  }
}

TEST_F(SafetensorsTest, ChecksumIsThatOfZlib) {
  // The check value of CRC-32 (ISO 3309): that of "123456789".
  EXPECT_EQ(crc32(to_bytes("123456789")), 0xCBF43926u);
  EXPECT_EQ(crc32(to_bytes("6789"), crc32(to_bytes("12345"))), 0xCBF43926u);
  EXPECT_EQ(crc32({}, 77), 77u);
  const HostArray digits{DType::U8, {9}, to_bytes("123456789")};
  EXPECT_EQ(checksums_json(std::vector{view_of("d", digits)}), R"({"d":"cbf43926"})");
}

TEST_F(SafetensorsTest, WriterRefusesBadNamesAndLeavesTheOldFile) {
  put("a", to_bytes("old"));
  const float value = 1;
  const auto write = [&](const std::string& first, const std::string& second) {
    write_safetensors(path("a"), std::vector<ArrayView>{{first, DType::F32, {1}, &value},
                                                        {second, DType::F32, {1}, &value}});
  };
  expect_data_error([&] { write("w", "w"); }, "tensor name 'w' is repeated");
  expect_data_error([&] { write("w", "__metadata__"); }, "repeated or reserved");
  expect_data_error([&] { write("w", "\xFF"); }, "not UTF-8");
  EXPECT_EQ(get(path("a")), to_bytes("old"));
  EXPECT_EQ(listing(), std::vector<std::string>{"a"});
}

TEST_F(SafetensorsTest, FullDiskLeavesTheOldFile) {
  put("a", to_bytes("old"));
  const std::vector<uint8_t> values(1 << 20);
  // A limit on the size of files acts as a full disk does, in the middle of a write.
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{4096, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &small);
  std::string message;
  try {
    write_safetensors(path("a"),
                      std::vector<ArrayView>{{"w", DType::U8, {1 << 20}, values.data()}});
  } catch (const Error& error) {
    message = error.what();
  }
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(message.find("cannot be written"), std::string::npos) << message;
  EXPECT_EQ(get(path("a")), to_bytes("old"));
  EXPECT_EQ(listing(), std::vector<std::string>{"a"});
}

}  // namespace
}  // namespace tessera
