#include "data/file_fixture.h"
#include "tessera/files/idx.h"

namespace tessera {
namespace {

using namespace tessera::testing;

class IdxWriterTest : public FileTest {};

TEST_F(IdxWriterTest, GoldenBytesAreWritten) {
  write_idx(path("images"),
            HostArray::from_values<uint8_t>({2, 1, 3}, std::vector<uint8_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(get(path("images")),
            to_bytes({0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6}));
}

TEST_F(IdxWriterTest, TheSixTypesComeBackAndTheOthersAreRefused) {
  int written = 0;
  for (const HostArray& array : arrays_of_every_dtype()) {
    const std::string name(to_string(array.dtype));
    try {
      for (const std::string& file : {name, name + ".gz"}) {
        write_idx(path(file), array);
        expect_same(read_idx(path(file)), array);
      }
      ++written;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::Data);
      EXPECT_NE(std::string(error.what()).find(": IDX has no type for " + name), std::string::npos);
      EXPECT_FALSE(std::filesystem::exists(path(name)));
    }
  }
  EXPECT_EQ(written, 6);
}

TEST_F(IdxWriterTest, GzipIsByName) {
  const HostArray zeros = HostArray::from_values<uint8_t>({1000}, std::vector<uint8_t>(1000));
  write_idx(path("a"), zeros);
  write_idx(path("a.gz"), zeros);
  EXPECT_EQ(get(path("a")).size(), 1008u);
  EXPECT_LT(get(path("a.gz")).size(), 100u);
  write_idx(path("b.gz"), zeros);
  EXPECT_EQ(get(path("a.gz")), get(path("b.gz")));  // no time of writing inside
}

TEST_F(IdxWriterTest, ArraysOfManyBlocksComeBack) {
  std::vector<int16_t> values(100003);  // three blocks, the last not full
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int16_t>(i * i);
  const HostArray array = HostArray::from_values<int16_t>({100003}, values);
  for (const char* name : {"a", "a.gz"}) {
    write_idx(path(name), array);
    expect_same(read_idx(path(name)), array);
  }
}

TEST_F(IdxWriterTest, EmptyArraysComeBack) {
  const HostArray empty{DType::F32, {0, 5}, {}};
  for (const char* name : {"a", "a.gz"}) {
    write_idx(path(name), empty);
    expect_same(read_idx(path(name)), empty);
  }
}

TEST_F(IdxWriterTest, ShapesThatDoNotFitAreRefused) {
  expect_data_error(
      [&] {
        write_idx(path("a"), {{DType::U8, {}}, to_bytes({1})});
      },
      "0 dimensions; IDX takes 1 to 255");
  expect_data_error(
      [&] {
        write_idx(path("a"), {{DType::U8, {int64_t{1} << 32, 0}}, {}});
      },
      "does not fit");
  EXPECT_TRUE(listing().empty());
}

}  // namespace
}  // namespace tessera
