// Each input under tests/fuzz/corpus/<reader> once more: the seeds the fuzzer starts from, and what
// it found. Names say what happens: good-* are read, everything else is refused.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "fuzz/readers.h"
#include "testing/places.h"

namespace tessera::testing {
namespace {

class FuzzCorpusTest : public ::testing::TestWithParam<FuzzedReader> {};

TEST_P(FuzzCorpusTest, EndsInAValueOrAnError) {
  int good = 0, refused = 0;
  const auto folder =
      std::filesystem::path(kSourceDir) / "tests/fuzz/corpus" / GetParam().name;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const bool read = reads(GetParam(), std::as_bytes(std::span(text.data(), text.size())));
    EXPECT_EQ(read, name.starts_with("good-")) << entry.path();
    ++(read ? good : refused);
  }
  EXPECT_GE(good, 2);
  EXPECT_GE(refused, 2);
}

INSTANTIATE_TEST_SUITE_P(Readers, FuzzCorpusTest, ::testing::ValuesIn(fuzzed_readers()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace tessera::testing
