#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

namespace tessera::testing {

/// One reader as a fuzzer drives it: any bytes must end in a value or in Error (Data or Config).
struct FuzzedReader {
  std::string_view name;  ///< also the folder of its inputs under tests/fuzz/corpus
  void (*read)(std::span<const std::byte> bytes);  ///< may throw Error
};

/// Every reader that takes bytes from outside.
const std::vector<FuzzedReader>& fuzzed_readers();

/// Calls the reader. Returns whether it took the bytes, and false where it refused them with Error
/// (Data or Config); everything else is thrown on.
bool reads(const FuzzedReader& reader, std::span<const std::byte> bytes);

}  // namespace tessera::testing
