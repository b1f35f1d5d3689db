#include "data/byte_stream.h"

#include <algorithm>

#include "tessera/error.h"
#include "tessera/files/crc32.h"

namespace tessera {

void PlainStream::read(std::span<std::byte> into) {
  require(into.size() <= end_ - offset_, ErrorKind::Data, where_, ": ", end_ - offset_,
          " bytes are left where ", into.size(), " are needed; the file is truncated");
  source_.read(offset_, into);
  offset_ += into.size();
}

void PlainStream::expect_end() {
  require(offset_ == end_, ErrorKind::Data, where_, ": ", end_ - offset_,
          " bytes follow the data; the file is damaged");
}

InflateStream::InflateStream(const ByteSource& source, uint64_t offset, uint64_t size,
                             Packing packing, std::string_view where)
    : source_(source), offset_(offset), end_(offset + size), where_(where) {
  // zlib takes the window's logarithm, + 16 for a gzip frame, negative for none.
  const int window = packing == Packing::Gzip ? 15 + 16 : -15;
  require(inflateInit2(&zlib_, window) == Z_OK, ErrorKind::Memory, where_,
          ": zlib cannot be started; free some memory");
}

InflateStream::~InflateStream() { inflateEnd(&zlib_); }

size_t InflateStream::inflate_some(std::span<std::byte> into) {
  constexpr size_t kPerCall = size_t{1} << 30;  // zlib counts in 32 bits
  if (zlib_.avail_in == 0 && offset_ < end_) {
    const auto input = std::span(input_).first(std::min<uint64_t>(input_.size(), end_ - offset_));
    source_.read(offset_, input);
    offset_ += input.size();
    zlib_.next_in = reinterpret_cast<Bytef*>(input.data());
    zlib_.avail_in = static_cast<uInt>(input.size());
  }
  const auto asked = static_cast<uInt>(std::min(into.size(), kPerCall));
  zlib_.next_out = reinterpret_cast<Bytef*>(into.data());
  zlib_.avail_out = asked;
  const int result = inflate(&zlib_, Z_NO_FLUSH);
  const size_t got = asked - zlib_.avail_out;
  require(result != Z_MEM_ERROR, ErrorKind::Memory, where_,
          ": zlib is out of memory; free some memory");
  require(result == Z_OK || result == Z_STREAM_END || result == Z_BUF_ERROR, ErrorKind::Data,
          where_, ": the compressed data is damaged after ", produced_ + got, " bytes (",
          zlib_.msg ? zlib_.msg : "a preset dictionary is asked for", "); get the file again");
  ended_ = result == Z_STREAM_END;
  require(got > 0 || ended_ || zlib_.avail_in > 0 || offset_ < end_, ErrorKind::Data, where_,
          ": the compressed data stops after ", produced_, " bytes; the file is truncated");
  produced_ += got;
  return got;
}

void InflateStream::read(std::span<std::byte> into) {
  while (!into.empty()) {
    require(!ended_, ErrorKind::Data, where_, ": the compressed data ends after ", produced_,
            " bytes where ", into.size(), " more are needed; the file is damaged");
    into = into.subspan(inflate_some(into));
  }
}

void InflateStream::expect_end() {
  // The end mark and gzip's checksum may still have to be read, with room for a byte too many.
  std::byte extra;
  const uint64_t expected = produced_;
  while (!ended_) {
    require(inflate_some({&extra, 1}) == 0, ErrorKind::Data, where_,
            ": the compressed data goes on after the expected ", expected,
            " bytes; the file is damaged");
  }
  require(zlib_.avail_in == 0 && offset_ == end_, ErrorKind::Data, where_, ": ",
          zlib_.avail_in + (end_ - offset_),
          " bytes follow the compressed data; the file is damaged");
}

void ChecksumStream::read(std::span<std::byte> into) {
  inner_.read(into);
  crc_ = crc32(into, crc_);
}

}  // namespace tessera
