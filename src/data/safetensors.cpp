#include "tessera/files/safetensors.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "data/bytes.h"

namespace tessera {
namespace {

using nlohmann::json;

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxJsonHeader = 100'000'000;  // the bound of the reference implementation
constexpr int kMaxDepth = 3;                  // file, tensor, shape
const std::string kMetadataKey = "__metadata__";
const std::string kChecksumKey = "crc32";

/// Parses the header, which must be one object without repeated keys; nlohmann alone would keep
/// the last of them.
json parse_unique(std::string_view text, std::string_view where) {
  std::vector<std::set<std::string>> keys;
  const auto check = [&](int depth, json::parse_event_t event, json& parsed) {
    require(depth <= kMaxDepth, ErrorKind::Data, where, ": the header is nested ", depth, " deep, ",
            kMaxDepth, " is the most a safetensors file has; it is damaged");
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key) {
      const auto& key = parsed.get_ref<const std::string&>();
      require(keys.back().insert(key).second, ErrorKind::Data, where, ": ", printable(key),
              " stands twice in the header; write the file again");
    }
    return true;
  };
  try {
    return json::parse(text, check);
  } catch (const json::exception& error) {
    fail(ErrorKind::Data, where, ": the header is not valid JSON (",
         std::string_view(error.what()).substr(0, 200), "); the file is damaged");
  }
}

const json& field(const json& entry, const char* key, const std::string& name,
                  std::string_view where) {
  const auto found = entry.find(key);
  require(found != entry.end(), ErrorKind::Data, where, ": tensor ", printable(name), " has no ",
          key, "; the header is damaged");
  return *found;
}

/// A JSON list of integers from 0 to 2^63 - 1.
std::vector<int64_t> integers(const json& list, const char* key, const std::string& name,
                              std::string_view where) {
  std::vector<int64_t> values;
  bool is_valid = list.is_array();
  if (is_valid) {
    for (const json& item : list) {
      is_valid &= item.is_number_unsigned() && std::in_range<int64_t>(item.get<uint64_t>());
      values.push_back(is_valid ? item.get<int64_t>() : 0);
    }
  }
  require(is_valid, ErrorKind::Data, where, ": ", key, " of tensor ", printable(name), " is ",
          printable(list.dump(-1, ' ', true)),
          "; a list of integers from 0 to 2^63 - 1 is expected");
  return values;
}

TensorInfo parse_tensor(const std::string& name, const json& entry, int64_t values_offset,
                        int64_t values_bytes, std::string_view where) {
  require(entry.is_object() && entry.size() == 3, ErrorKind::Data, where, ": tensor ",
          printable(name), " needs dtype, shape and data_offsets and nothing else; the header is ",
          "damaged");
  const json& dtype_name = field(entry, "dtype", name, where);
  const auto dtype =
      dtype_name.is_string() ? parse_dtype(dtype_name.get_ref<const std::string&>()) : std::nullopt;
  require(dtype.has_value(), ErrorKind::Data, where, ": tensor ", printable(name), " has dtype ",
          printable(dtype_name.dump(-1, ' ', true)),
          "; convert it to one of F16 F32 F64 U8 I8 U16 I16 U32 I32 U64 I64 BOOL");
  TensorInfo info;
  info.dtype = *dtype;
  info.shape = integers(field(entry, "shape", name, where), "shape", name, where);
  const auto offsets =
      integers(field(entry, "data_offsets", name, where), "data_offsets", name, where);
  require(offsets.size() == 2 && offsets[0] <= offsets[1] && offsets[1] <= values_bytes,
          ErrorKind::Data, where, ": data_offsets of tensor ", printable(name), " are ",
          shape_text(offsets), " in ", values_bytes,
          " bytes of values; the file is truncated or damaged");
  info.offset = values_offset + offsets[0];
  info.bytes = offsets[1] - offsets[0];
  const int64_t expected =
      array_bytes(info.dtype, info.shape, std::string(where) + ": tensor " + printable(name));
  require(info.bytes == expected, ErrorKind::Data, where, ": tensor ", printable(name), " has ",
          info.bytes, " bytes, but ", shape_text(info.shape), " of ", to_string(info.dtype),
          " takes ", expected, "; the file is damaged");
  return info;
}

std::optional<uint32_t> parse_hex(const json& value) {
  constexpr size_t kDigits = 8;
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  uint32_t number = 0;
  const auto end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number, 16);
  if (text.size() != kDigits || parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return number;
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path)
    : SafetensorsFile(std::make_shared<FileSource>(path)) {}

SafetensorsFile::SafetensorsFile(std::shared_ptr<const ByteSource> source)
    : source_(std::move(source)) {
  const std::string& where = source_->name();
  require(source_->size() >= kLengthBytes, ErrorKind::Data, where, ": ", source_->size(),
          " bytes are too few for a safetensors file; the file is truncated");
  const uint64_t length = load_le<uint64_t>(source_->first_bytes(kLengthBytes));
  require(length <= std::min(kMaxJsonHeader, source_->size() - kLengthBytes), ErrorKind::Data, where,
          ": a header of ", length, " bytes in a file of ", source_->size(), "; at most ",
          kMaxJsonHeader, " and the file's length are possible, it is truncated or not safetensors");
  auto header = allocate_bytes(static_cast<int64_t>(length), where);
  source_->read(kLengthBytes, header);
  parse_header(header, static_cast<int64_t>(kLengthBytes + length));
}

void SafetensorsFile::parse_header(std::span<const std::byte> header, int64_t values_offset) {
  const std::string& where = path();
  require(!header.empty() && header[0] == std::byte{'{'}, ErrorKind::Data, where,
          ": the header starts with ", printable(as_text(header).substr(0, 1)),
          ", not with '{'; the file is damaged or not safetensors");
  const json entries = parse_unique(as_text(header), where);
  const int64_t values_bytes = static_cast<int64_t>(source_->size()) - values_offset;
  for (const auto& [name, entry] : entries.items()) {
    if (name != kMetadataKey) {
      tensors_.emplace(name, parse_tensor(name, entry, values_offset, values_bytes, where));
      names_.push_back(name);
      continue;
    }
    require(entry.is_object(), ErrorKind::Data, where,
            ": __metadata__ is not an object; the header is damaged");
    for (const auto& [key, value] : entry.items()) {
      require(value.is_string(), ErrorKind::Data, where, ": __metadata__ entry ", printable(key),
              " is not a text; the header is damaged");
      metadata_.emplace(key, value.get<std::string>());
    }
  }
  check_coverage(values_offset);
  parse_checksums();
}

void SafetensorsFile::check_coverage(int64_t values_offset) {
  const auto place = [&](const std::string& name) {
    const TensorInfo& info = tensors_.at(name);
    return std::pair(info.offset, info.offset + info.bytes);
  };
  std::stable_sort(names_.begin(), names_.end(),
                   [&](const auto& a, const auto& b) { return place(a) < place(b); });
  int64_t end = values_offset;
  for (const std::string& name : names_) {
    const auto [first, last] = place(name);
    require(first == end, ErrorKind::Data, path(), ": tensor ", printable(name), " starts at byte ",
            first, " of the file, ", end, " is expected; tensors ",
            first < end ? "overlap" : "leave a gap", ", the file is damaged");
    end = last;
  }
  require(end == static_cast<int64_t>(source_->size()), ErrorKind::Data, path(),
          ": tensors end at byte ", end, " of ", source_->size(),
          "; the file is damaged or has trailing bytes");
}

void SafetensorsFile::parse_checksums() {
  const auto entry = metadata_.find(kChecksumKey);
  if (entry == metadata_.end()) return;
  const json list = json::parse(entry->second, nullptr, /*allow_exceptions=*/false);
  if (!list.is_object()) return;  // someone else's entry of that name
  for (const auto& [name, value] : list.items()) {
    if (const auto crc = parse_hex(value)) checksums_.emplace(name, *crc);
  }
}

const TensorInfo& SafetensorsFile::info(const std::string& name) const {
  const auto found = tensors_.find(name);
  require(found != tensors_.end(), ErrorKind::Data, path(), ": no tensor ", printable(name),
          " among ", names_.size(), "; it may be a file of another model or program");
  return found->second;
}

HostArray SafetensorsFile::read(const std::string& name) const {
  const TensorInfo& tensor = info(name);
  HostArray array{tensor.dtype, tensor.shape, allocate_bytes(tensor.bytes, path())};
  source_->read(tensor.offset, array.bytes);
  const auto listed = checksums_.find(name);
  if (listed != checksums_.end()) {
    const uint32_t found = crc32(array.bytes);
    require(found == listed->second, ErrorKind::Data, path(), ": tensor ", printable(name),
            " has CRC-32 ", found, ", the file says ", listed->second,
            "; its bytes are damaged, use another copy");
  }
  return array;
}

}  // namespace tessera
