// What libFuzzer calls: the reader that TESSERA_FUZZ_READER names gets the bytes.

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "fuzz/readers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tessera::testing;
  static const FuzzedReader* const chosen = [] {
    const char* name = std::getenv("TESSERA_FUZZ_READER");
    for (const FuzzedReader& reader : fuzzed_readers())
      if (name != nullptr && reader.name == name) return &reader;
    std::fprintf(stderr, "TESSERA_FUZZ_READER=%s names no reader\n", name == nullptr ? "" : name);
    std::exit(2);
  }();
  reads(*chosen, std::as_bytes(std::span(data, size)));
  return 0;
}
