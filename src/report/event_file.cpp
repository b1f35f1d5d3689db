#include "report/event_file.h"

#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "tessera/error.h"
#include "tessera/files/file_writer.h"

namespace tessera {
namespace {
namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "records are little-endian");

constexpr std::string_view kPrefix = "events.out.tfevents.";
constexpr size_t kHeader = 12, kFooter = 4;  // bytes around a message

constexpr std::array<uint32_t, 256> crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1 ? 0x82F63B78u : 0u);
    table[i] = value;
  }
  return table;
}

/// A checksum of data that hold checksums would be weak, so they are stored rotated and shifted.
uint32_t masked_crc(std::string_view bytes) { return std::rotr(crc32c(bytes), 15) + 0xA282EAD8u; }

template <class T>
void put_bytes(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

template <class T>
T bytes_at(std::string_view text, size_t at) {
  T value;
  std::memcpy(&value, text.data() + at, sizeof(T));
  return value;
}

// The protobuf wire format: a field is (number << 3 | kind) and its value.
enum WireKind : uint64_t { kVarint = 0, kFixed64 = 1, kLengthed = 2, kFixed32 = 5 };

void put_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void put_key(std::string& out, uint64_t number, WireKind kind) {
  put_varint(out, number << 3 | kind);
}

void put_text(std::string& out, uint64_t number, std::string_view text) {
  put_key(out, number, kLengthed);
  put_varint(out, text.size());
  out.append(text);
}

std::string event_at(uint64_t step) {
  const std::chrono::duration<double> time = std::chrono::system_clock::now().time_since_epoch();
  std::string event;
  put_key(event, 1, kFixed64);
  put_bytes(event, time.count());
  put_key(event, 2, kVarint);
  put_varint(event, step);
  return event;
}

std::optional<uint64_t> take_varint(std::string_view& text) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64 && !text.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(text.front());
    text.remove_prefix(1);
    value |= uint64_t{byte & 0x7Fu} << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

/// The step of an event as EventFile writes it: behind the wall time. Nothing where there is none.
std::optional<uint64_t> step_of(std::string_view event) {
  constexpr size_t kWallTime = 1 + sizeof(double);
  if (event.size() < kWallTime + 2 || event[kWallTime] != char(2 << 3 | kVarint)) return {};
  event.remove_prefix(kWallTime + 1);
  return take_varint(event);
}

/// The message of the record that `file` begins with; nothing where the record is not whole.
std::optional<std::string_view> first_message(std::string_view file) {
  if (file.size() < kHeader + kFooter) return {};
  const auto length = bytes_at<uint64_t>(file, 0);
  if (bytes_at<uint32_t>(file, 8) != masked_crc(file.substr(0, 8))) return {};
  if (length > file.size() - kHeader - kFooter) return {};
  const std::string_view message = file.substr(kHeader, length);
  if (bytes_at<uint32_t>(file, kHeader + length) != masked_crc(message)) return {};
  return message;
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 && name[0] != 0 ? name : "localhost";
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  static constexpr std::array<uint32_t, 256> kTable = crc_table();
  uint32_t crc = ~0u;
  for (const char byte : bytes) crc = crc >> 8 ^ kTable[(crc ^ static_cast<uint8_t>(byte)) & 0xFF];
  return ~crc;
}

bool is_event_file(std::string_view name) { return name.starts_with(kPrefix); }

EventFile::EventFile(const std::string& folder) {
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
  // Readers take the files of a run in the order of their names: the seconds have ten digits.
  const std::string stem = std::string(kPrefix) + std::to_string(seconds.count()) + "." +
                           host_name() + "." + std::to_string(::getpid()) + ".";
  for (int count = 0; file_ == nullptr; ++count) {
    path_ = (fs::path(folder) / (stem + std::to_string(count))).string();
    file_ = std::fopen(path_.c_str(), "wbx");
    require(file_ != nullptr || errno == EEXIST, ErrorKind::Data, path_,
            ": the event file cannot be written (", std::strerror(errno),
            "); check the run folder, or choose another with --output");
  }
  std::string event = event_at(0);
  put_text(event, 3, "brain.Event:2");
  write(event);
}

EventFile::~EventFile() { std::fclose(file_); }

void EventFile::add(uint64_t step, const std::vector<Scalar>& scalars) {
  std::string summary;
  for (const auto& [tag, number] : scalars) {
    std::string value;
    put_text(value, 1, tag);
    put_key(value, 2, kFixed32);
    put_bytes(value, static_cast<float>(number));
    put_text(summary, 1, value);
  }
  std::string event = event_at(step);
  put_text(event, 5, summary);
  write(event);
}

void EventFile::write(const std::string& event) {
  std::string record;
  put_bytes(record, uint64_t{event.size()});
  put_bytes(record, masked_crc(record));
  record += event;
  put_bytes(record, masked_crc(event));
  const bool written = std::fwrite(record.data(), 1, record.size(), file_) == record.size() &&
                       std::fflush(file_) == 0;
  require(written, ErrorKind::Data, path_,
          ": an event could not be written; free disk space, then use --resume auto");
}

void keep_events_until(const std::string& path, uint64_t step) {
  std::ifstream in(path, std::ios::binary);
  require(in.is_open(), ErrorKind::Data, path, ": cannot be read; check its permissions");
  const std::string all{std::istreambuf_iterator<char>(in), {}};
  size_t kept = 0, records = 0;
  while (const auto message = first_message(std::string_view(all).substr(kept))) {
    const std::optional<uint64_t> at = step_of(*message);
    if (!at || *at > step) break;
    kept += kHeader + message->size() + kFooter;
    ++records;
  }
  std::error_code error;
  if (records < 2)  // the first says the version
    fs::remove(path, error);
  else if (kept < all.size())
    write_file(path, std::string_view(all).substr(0, kept));
}

}  // namespace tessera
