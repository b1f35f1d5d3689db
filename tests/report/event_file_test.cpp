#include "report/event_file.h"

#include <cstring>
#include <iterator>
#include <map>

#include "data/file_fixture.h"
#include "tessera/error.h"

namespace tessera {
namespace {

/// The fields of a protobuf message as they stand: numbers and bytes by field number.
struct Message {
  std::map<int, uint64_t> varints;
  std::map<int, std::string> bytes;  // of fixed and of lengthed fields
  std::vector<std::string> repeated_1;

  explicit Message(const std::string& text) {
    size_t at = 0;
    const auto varint = [&] {
      uint64_t value = 0;
      for (int shift = 0;; shift += 7) {
        const auto byte = static_cast<uint8_t>(text.at(at++));
        value |= uint64_t(byte & 127) << shift;
        if (byte < 128) return value;
      }
    };
    while (at < text.size()) {
      const uint64_t key = varint();
      const int field = static_cast<int>(key >> 3), kind = static_cast<int>(key & 7);
      if (kind == 0) {
        varints[field] = varint();
        continue;
      }
      const size_t size = kind == 1 ? 8 : kind == 5 ? 4 : varint();
      bytes[field] = text.substr(at, size);
      if (field == 1) repeated_1.push_back(bytes[1]);
      at += size;
    }
  }
  template <class T>
  T number(int field) const {
    T value;
    EXPECT_EQ(bytes.at(field).size(), sizeof value);
    std::memcpy(&value, bytes.at(field).data(), sizeof value);
    return value;
  }
};

class EventFileTest : public testing::FileTest {
 protected:
  std::string contents(const std::string& file) const {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  /// Messages of the records, whose checksums must be right.
  std::vector<Message> events(const std::string& file) const {
    const std::string text = contents(file);
    std::vector<Message> all;
    for (size_t at = 0; at < text.size();) {
      uint64_t size;
      std::memcpy(&size, text.data() + at, 8);
      expect_checksum(text.substr(at, 8), text.substr(at + 8, 4));
      const std::string message = text.substr(at + 12, size);
      expect_checksum(message, text.substr(at + 12 + size, 4));
      all.emplace_back(message);
      at += 16 + size;
    }
    return all;
  }
  std::vector<uint64_t> steps(const std::string& file) const {
    std::vector<uint64_t> all;
    for (const Message& event : events(file)) all.push_back(event.varints.at(2));
    return all;
  }
  /// A file with one value at each of the steps 5, 10 and 300.
  std::string three_events() const {
    EventFile file(folder_.string());
    for (const uint64_t step : {5, 10, 300}) file.add(step, {{"loss", double(step)}});
    return file.path();
  }

 private:
  static void expect_checksum(const std::string& bytes, const std::string& stored) {
    const uint32_t crc = crc32c(bytes), masked = (crc >> 15 | crc << 17) + 0xA282EAD8u;
    uint32_t found = 0;
    ASSERT_EQ(stored.size(), 4u);
    std::memcpy(&found, stored.data(), 4);
    EXPECT_EQ(found, masked);
  }
};

// Source: RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
TEST(Crc32cTest, KnownAnswers) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62A8AB43u);
  EXPECT_EQ(crc32c(""), 0u);
}

TEST_F(EventFileTest, BeginsWithItsVersion) {
  EventFile file(folder_.string());
  const auto all = events(file.path());
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].bytes.at(3), "brain.Event:2");
  EXPECT_TRUE(is_event_file(std::filesystem::path(file.path()).filename().string()));
}

TEST_F(EventFileTest, HoldsTheValuesOfAStep) {
  EventFile file(folder_.string());
  file.add(70000, {{"train/total", 0.5}, {"codes/utilization", 0.25}});
  const Message event = events(file.path()).at(1);
  EXPECT_EQ(event.varints.at(2), 70000u);
  EXPECT_GT(event.number<double>(1), 1.6e9);  // seconds since 1970
  const Message summary(event.bytes.at(5));
  ASSERT_EQ(summary.repeated_1.size(), 2u);
  const Message first(summary.repeated_1[0]), second(summary.repeated_1[1]);
  EXPECT_EQ(first.bytes.at(1), "train/total");
  EXPECT_EQ(first.number<float>(2), 0.5f);
  EXPECT_EQ(second.bytes.at(1), "codes/utilization");
  EXPECT_EQ(second.number<float>(2), 0.25f);
}

TEST_F(EventFileTest, EachIsAFileOfItsOwn) {
  const EventFile first(folder_.string()), second(folder_.string());
  EXPECT_NE(first.path(), second.path());
  EXPECT_EQ(listing().size(), 2u);
}

TEST_F(EventFileTest, IsReadableWhileItIsOpen) {
  EventFile file(folder_.string());
  file.add(1, {{"loss", 1}});
  EXPECT_EQ(steps(file.path()), (std::vector<uint64_t>{0, 1}));
}

TEST_F(EventFileTest, LaterEventsAreCutOff) {
  const std::string file = three_events();
  keep_events_until(file, 10);
  EXPECT_EQ(steps(file), (std::vector<uint64_t>{0, 5, 10}));
}

TEST_F(EventFileTest, NothingLaterChangesNothing) {
  const std::string file = three_events(), before = contents(file);
  keep_events_until(file, 300);
  EXPECT_EQ(contents(file), before);
}

TEST_F(EventFileTest, AFileWithoutValuesIsRemoved) {
  keep_events_until(three_events(), 4);
  EXPECT_TRUE(listing().empty());
}

TEST_F(EventFileTest, WhatAKilledProcessWroteHalfIsCutOff) {
  const std::string file = three_events(), text = contents(file);
  for (const size_t size : {text.size() - 1, text.size() - 20}) {
    std::ofstream(file, std::ios::binary) << text.substr(0, size);
    keep_events_until(file, 1000);
    EXPECT_EQ(steps(file), (std::vector<uint64_t>{0, 5, 10}));
  }
}

TEST_F(EventFileTest, AFolderThatIsNotThereIsRefused) {
  try {
    const EventFile file(path("none"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::Data);
  }
}

}  // namespace
}  // namespace tessera
