#include "data/bytes.h"

#include <new>

#include "tessera/error.h"

namespace tessera {
namespace {

template <class T>
void swap_items(std::span<std::byte> bytes) {
  for (size_t i = 0; i + sizeof(T) <= bytes.size(); i += sizeof(T)) {
    const T value = load_be<T>(bytes.subspan(i, sizeof(T)));
    std::memcpy(&bytes[i], &value, sizeof(T));
  }
}

}  // namespace

void swap_bytes(std::span<std::byte> bytes, int64_t item_size) {
  switch (item_size) {
    case 2:
      return swap_items<uint16_t>(bytes);
    case 4:
      return swap_items<uint32_t>(bytes);
    case 8:
      return swap_items<uint64_t>(bytes);
    default:
      TESSERA_CHECK(item_size == 1, "swap_bytes: items of ", item_size, " bytes");
  }
}

std::vector<std::byte> allocate_bytes(int64_t bytes, std::string_view where) {
  try {
    return std::vector<std::byte>(bytes);
  } catch (const std::bad_alloc&) {
    fail(ErrorKind::Memory, where, ": the array takes ", bytes,
         " bytes, which this machine cannot give; read fewer rows at a time");
  }
}

std::string printable(std::string_view text) {
  constexpr size_t kShown = 60;
  constexpr char kDigits[] = "0123456789abcdef";
  std::string result = "'";
  for (const char c : text.substr(0, kShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F) {
      result += c;
    } else {
      result += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return result + (text.size() > kShown ? "...'" : "'");
}

}  // namespace tessera
