#pragma once

// Numbers as bytes, and text of unknown origin made fit for messages.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tessera {

static_assert(std::endian::native == std::endian::little, "arrays in memory are little-endian");

/// The unsigned number in the first sizeof(T) bytes of `bytes`, which must be that long.
template <class T>
T load_le(std::span<const std::byte> bytes) {
  T value;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

template <class T>
T load_be(std::span<const std::byte> bytes) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>((value << 8) | std::to_integer<T>(bytes[i]));
  }
  return value;
}

/// Appends numbers and text to a block of bytes.
class ByteBuilder {
 public:
  template <class T>
  ByteBuilder& le(T value) {
    return raw(std::as_bytes(std::span(&value, 1)));
  }
  template <class T>
  ByteBuilder& be(T value) {
    for (int shift = 8 * (static_cast<int>(sizeof(T)) - 1); shift >= 0; shift -= 8) {
      bytes_.push_back(static_cast<std::byte>((value >> shift) & 0xFF));
    }
    return *this;
  }
  ByteBuilder& text(std::string_view text) { return raw(std::as_bytes(std::span(text))); }
  ByteBuilder& raw(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  size_t size() const { return bytes_.size(); }
  std::span<const std::byte> bytes() const { return bytes_; }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

/// Reverses the bytes of each item.
void swap_bytes(std::span<std::byte> bytes, int64_t item_size);

/// `bytes` bytes of memory; Error (Memory) naming `where` instead of std::bad_alloc.
std::vector<std::byte> allocate_bytes(int64_t bytes, std::string_view where);

inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// 'text' in quotes, at most 60 characters of it, unprintable bytes as \xNN.
std::string printable(std::string_view text);

}  // namespace tessera
