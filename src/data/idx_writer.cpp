#include <zlib.h>

#include <algorithm>
#include <array>
#include <optional>

#include "data/bytes.h"
#include "tessera/files/file_writer.h"
#include "tessera/files/idx.h"

namespace tessera {
namespace {

constexpr size_t kBlock = 1 << 16;    // bytes turned to big-endian and packed at a time
constexpr size_t kMaxRank = 255;      // one byte holds it
constexpr int kGzipWindow = 15 + 16;  // 32 KiB; + 16 asks zlib for a gzip header, without a time

std::optional<uint8_t> code_of_dtype(DType dtype) {
  switch (dtype) {
    case DType::U8:
      return 0x08;
    case DType::I8:
      return 0x09;
    case DType::I16:
      return 0x0B;
    case DType::I32:
      return 0x0C;
    case DType::F32:
      return 0x0D;
    case DType::F64:
      return 0x0E;
    default:
      return std::nullopt;
  }
}

/// Bytes on their way to a file, packed or not.
class Sink {
 public:
  Sink(const std::string& path, bool packed) : file_(path), packed_(packed) {
    if (!packed_) return;
    const int result =
        deflateInit2(&zlib_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY);
    require(result == Z_OK, ErrorKind::Memory, path, ": no memory for the compressor");
  }
  ~Sink() {
    if (packed_) deflateEnd(&zlib_);
  }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  void write(std::span<const std::byte> bytes) {
    if (packed_) {
      pack(bytes, Z_NO_FLUSH);
    } else {
      file_.write(bytes);
    }
  }

  void commit() {
    if (packed_) pack({}, Z_FINISH);
    file_.commit();
  }

 private:
  void pack(std::span<const std::byte> bytes, int flush) {
    zlib_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
    zlib_.avail_in = static_cast<uInt>(bytes.size());
    int result;
    do {
      zlib_.next_out = reinterpret_cast<Bytef*>(packed_bytes_.data());
      zlib_.avail_out = static_cast<uInt>(packed_bytes_.size());
      result = deflate(&zlib_, flush);
      TESSERA_CHECK(result != Z_STREAM_ERROR, "deflate: the stream is broken");
      file_.write(std::span(packed_bytes_).first(packed_bytes_.size() - zlib_.avail_out));
    } while (zlib_.avail_out == 0 && result != Z_STREAM_END);
  }

  FileWriter file_;
  bool packed_;
  z_stream zlib_ = {};
  std::array<std::byte, kBlock> packed_bytes_;
};

}  // namespace

void write_idx(const std::string& path, const HostArray& array) {
  const auto code = code_of_dtype(array.dtype);
  require(code.has_value(), ErrorKind::Data, path, ": IDX has no type for ", to_string(array.dtype),
          "; convert the array to U8, I8, I16, I32, F32 or F64");
  require(!array.shape.empty() && array.shape.size() <= kMaxRank, ErrorKind::Data, path, ": ",
          array.shape.size(), " dimensions; IDX takes 1 to ", kMaxRank);
  ByteBuilder header;
  header.be(uint16_t{0}).be(*code).be(static_cast<uint8_t>(array.shape.size()));
  for (const int64_t dimension : array.shape) {
    require(dimension >= 0 && dimension <= UINT32_MAX, ErrorKind::Data, path, ": the shape ",
            shape_text(array.shape), " does not fit; IDX takes dimensions from 0 to ", UINT32_MAX);
    header.be(static_cast<uint32_t>(dimension));
  }
  const int64_t bytes = array_bytes(array.dtype, array.shape, path);
  TESSERA_CHECK(bytes == static_cast<int64_t>(array.bytes.size()),
                "write_idx: ", array.bytes.size(), " bytes for ", shape_text(array.shape));

  Sink sink(path, path.ends_with(".gz"));
  sink.write(header.bytes());
  std::vector<std::byte> block;
  for (size_t first = 0; first < array.bytes.size(); first += kBlock) {
    const size_t count = std::min(kBlock, array.bytes.size() - first);
    block.assign(array.bytes.begin() + first, array.bytes.begin() + first + count);
    swap_bytes(block, item_size(array.dtype));
    sink.write(block);
  }
  sink.commit();
}

}  // namespace tessera
