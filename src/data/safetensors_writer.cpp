#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "data/bytes.h"
#include "tessera/files/file_writer.h"
#include "tessera/files/safetensors.h"

namespace tessera {
namespace {

using nlohmann::ordered_json;

std::span<const std::byte> values_of(const ArrayView& tensor, std::string_view where) {
  const int64_t bytes = array_bytes(tensor.dtype, tensor.shape, where);
  TESSERA_CHECK(tensor.data || bytes == 0, where, ": tensor ", tensor.name, " has no values");
  return {static_cast<const std::byte*>(tensor.data), static_cast<size_t>(bytes)};
}

/// Length and JSON, padded with spaces so that the values start at a multiple of 8 bytes.
std::vector<std::byte> header_of(const std::string& path, std::span<const ArrayView* const> tensors,
                                 const std::map<std::string, std::string>& metadata) {
  ordered_json entries = ordered_json::object();
  if (!metadata.empty()) entries["__metadata__"] = metadata;
  std::set<std::string_view> names{"__metadata__"};
  int64_t end = 0;
  for (const ArrayView* tensor : tensors) {
    require(names.insert(tensor->name).second, ErrorKind::Data, path, ": tensor name ",
            printable(tensor->name), " is repeated or reserved; give each tensor its own name");
    const int64_t first = end;
    end += array_bytes(tensor->dtype, tensor->shape, path);
    entries.emplace(tensor->name, ordered_json{{"dtype", to_string(tensor->dtype)},
                                               {"shape", tensor->shape},
                                               {"data_offsets", {first, end}}});
  }
  std::string text;
  try {
    text = entries.dump();
  } catch (const ordered_json::exception& error) {
    fail(ErrorKind::Data, path, ": a name or metadata entry is not UTF-8 (", error.what(),
         "); rename it");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return ByteBuilder().le(uint64_t{text.size()}).text(text).take();
}

}  // namespace

void write_safetensors(const std::string& path, std::span<const ArrayView> tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const ArrayView*> order;
  for (const ArrayView& tensor : tensors) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(), [](const ArrayView* a, const ArrayView* b) {
    return item_size(a->dtype) > item_size(b->dtype);
  });
  FileWriter file(path);
  file.write(header_of(path, order, metadata));
  for (const ArrayView* tensor : order) file.write(values_of(*tensor, path));
  file.commit();
}

std::string checksums_json(std::span<const ArrayView> tensors) {
  ordered_json list = ordered_json::object();
  for (const ArrayView& tensor : tensors) {
    char digits[9];
    std::snprintf(digits, sizeof digits, "%08x", crc32(values_of(tensor, tensor.name)));
    list.emplace(tensor.name, digits);
  }
  return list.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace tessera
