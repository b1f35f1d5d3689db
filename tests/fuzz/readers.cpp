#include "fuzz/readers.h"

#include <algorithm>
#include <memory>
#include <string>

#include "tessera/config.h"
#include "tessera/files.h"

namespace tessera::testing {
namespace {

using Bytes = std::span<const std::byte>;

std::shared_ptr<const ByteSource> source_of(Bytes bytes) {
  return std::make_shared<MemorySource>(bytes, "input");
}

/// What callers do with an array: numbers of every kind it can give.
void use(const HostArray& array) {
  TESSERA_CHECK(static_cast<int64_t>(array.bytes.size()) == array.size() * item_size(array.dtype),
                "an array of ", shape_text(array.shape), " has ", array.bytes.size(), " bytes");
  try {
    (void)array.to_floats("input");
    require_finite(array, "input");
    (void)array.to_int64("input");
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Data) throw;
  }
}

void read_npy_bytes(Bytes bytes) {
  const NpyFile file(source_of(bytes));
  use(file.read());
  if (file.info().shape.empty()) return;  // a number has no rows
  const int64_t rows = file.info().rows();
  use(file.read_rows(rows / 2, rows));
}

void read_npz_bytes(Bytes bytes) {
  const NpzFile file(source_of(bytes));
  for (const std::string& name : file.names()) use(file.read(name));
}

void read_safetensors_bytes(Bytes bytes) {
  const SafetensorsFile file(source_of(bytes));
  for (const std::string& name : file.names()) use(file.read(name));
}

void read_idx_bytes(Bytes bytes) { use(read_idx(source_of(bytes))); }

void read_config_bytes(Bytes bytes) {
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  // `extends` would open files of this machine.
  if (text.find("extends") != std::string::npos) return;
  const Config config = parse_config(text, "input");
  TESSERA_CHECK(parse_config(to_yaml(config), "written") == config,
                "a config does not survive to_yaml");
  TESSERA_CHECK(config_from_json(to_json(config)) == config, "a config does not survive to_json");
}

void read_token_bytes(Bytes bytes) {
  const TokenFile file(RowFile(source_of(bytes)), {512, 16});
  for (int64_t first = 0; first < file.rows(); first += 100)
    for (const int32_t code : file.read(first, std::min(file.rows(), first + 100)))
      TESSERA_CHECK(code >= 0 && code < 512, "code ", code);
}

}  // namespace

const std::vector<FuzzedReader>& fuzzed_readers() {
  static const std::vector<FuzzedReader> readers = {{"npy", read_npy_bytes},
                                                    {"npz", read_npz_bytes},
                                                    {"safetensors", read_safetensors_bytes},
                                                    {"idx", read_idx_bytes},
                                                    {"config", read_config_bytes},
                                                    {"tokens", read_token_bytes}};
  return readers;
}

bool reads(const FuzzedReader& reader, std::span<const std::byte> bytes) {
  try {
    reader.read(bytes);
    return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::Data && error.kind() != ErrorKind::Config) throw;
    return false;
  }
}

}  // namespace tessera::testing
