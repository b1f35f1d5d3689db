#include "tessera/files/idx.h"

#include <algorithm>
#include <array>
#include <optional>

#include "data/byte_stream.h"
#include "data/bytes.h"

namespace tessera {
namespace {

constexpr uint64_t kMagicBytes = 4, kDimensionBytes = 4;

std::optional<DType> dtype_of_code(std::byte code) {
  switch (std::to_integer<int>(code)) {
    case 0x08:
      return DType::U8;
    case 0x09:
      return DType::I8;
    case 0x0B:
      return DType::I16;
    case 0x0C:
      return DType::I32;
    case 0x0D:
      return DType::F32;
    case 0x0E:
      return DType::F64;
    default:
      return std::nullopt;
  }
}

}  // namespace

HostArray read_idx(const std::string& path) { return read_idx(std::make_shared<FileSource>(path)); }

HostArray read_idx(std::shared_ptr<const ByteSource> source) {
  const std::string& where = source->name();
  const auto first = source->first_bytes(2);
  const bool is_gzip = first.size() == 2 && load_be<uint16_t>(first) == 0x1F8B;
  std::unique_ptr<ByteStream> stream;
  if (is_gzip) {
    stream = std::make_unique<InflateStream>(*source, 0, source->size(), Packing::Gzip, where);
  } else {
    stream = std::make_unique<PlainStream>(*source, 0, source->size(), where);
  }

  std::array<std::byte, kMagicBytes> magic;
  stream->read(magic);
  const auto dtype = dtype_of_code(magic[2]);
  const int rank = std::to_integer<int>(magic[3]);
  require(magic[0] == std::byte{0} && magic[1] == std::byte{0} && dtype && rank > 0,
          ErrorKind::Data, where, ": starts with ", printable(as_text(magic)),
          ", not with 0, 0, a type of 8 9 11 12 13 14 and a rank from 1; it is not an IDX file");
  HostArray array{*dtype, {}, {}};
  for (int d = 0; d < rank; ++d) {
    std::array<std::byte, kDimensionBytes> dimension;
    stream->read(dimension);
    array.shape.push_back(load_be<uint32_t>(dimension));
  }

  const int64_t bytes = array_bytes(*dtype, array.shape, where);
  const uint64_t header = kMagicBytes + kDimensionBytes * rank;
  const uint64_t possible = is_gzip ? max_inflated(source->size()) : source->size();
  require(static_cast<uint64_t>(bytes) <= possible - std::min(header, possible), ErrorKind::Data,
          where, ": the shape ", shape_text(array.shape), " of ", to_string(*dtype), " takes ",
          bytes, " bytes, more than a file of ", source->size(),
          " bytes can hold; it is truncated or damaged");
  array.bytes = allocate_bytes(bytes, where);
  stream->read(array.bytes);
  stream->expect_end();
  swap_bytes(array.bytes, item_size(*dtype));
  return array;
}

}  // namespace tessera
