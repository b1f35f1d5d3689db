#pragma once

#include <zlib.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tessera/files/byte_source.h"

namespace tessera {

/// Bytes read in order, of which the reader knows how many there must be.
class ByteStream {
 public:
  virtual ~ByteStream() = default;

  /// Fills `into`, or throws Error (Data) where the stream ends before.
  virtual void read(std::span<std::byte> into) = 0;

  /// Throws Error (Data) unless everything has been read.
  virtual void expect_end() = 0;
};

/// Bytes [offset, offset + size) of a source as they are.
class PlainStream : public ByteStream {
 public:
  PlainStream(const ByteSource& source, uint64_t offset, uint64_t size, std::string_view where)
      : source_(source), offset_(offset), end_(offset + size), where_(where) {}
  void read(std::span<std::byte> into) override;
  void expect_end() override;

 private:
  const ByteSource& source_;
  uint64_t offset_, end_;
  std::string where_;
};

enum class Packing { Deflate, Gzip };  // Deflate: the bare RFC 1951 data of a zip archive

/// Bytes [offset, offset + size) of a source, inflated. Takes 64 KiB and zlib's window.
class InflateStream : public ByteStream {
 public:
  InflateStream(const ByteSource& source, uint64_t offset, uint64_t size, Packing packing,
                std::string_view where);
  ~InflateStream() override;
  InflateStream(const InflateStream&) = delete;
  InflateStream& operator=(const InflateStream&) = delete;
  void read(std::span<std::byte> into) override;
  void expect_end() override;

 private:
  size_t inflate_some(std::span<std::byte> into);

  const ByteSource& source_;
  uint64_t offset_, end_;
  std::string where_;
  uint64_t produced_ = 0;
  bool ended_ = false;
  z_stream zlib_ = {};
  std::array<std::byte, 65536> input_;
};

/// The most bytes that `packed` bytes can inflate to. Deflate spends at least two bits (a length
/// and a distance code of one each) on its longest match, 258 bytes: 1032 for one. The constant
/// covers the bits shared between bytes.
inline uint64_t max_inflated(uint64_t packed) {
  return packed > UINT64_MAX / 2048 ? UINT64_MAX : packed * 1032 + 1032;
}

/// Passes reads on and keeps the CRC-32 of what went through.
class ChecksumStream : public ByteStream {
 public:
  explicit ChecksumStream(ByteStream& inner) : inner_(inner) {}
  void read(std::span<std::byte> into) override;
  void expect_end() override { inner_.expect_end(); }
  uint32_t crc() const { return crc_; }

 private:
  ByteStream& inner_;
  uint32_t crc_ = 0;
};

}  // namespace tessera
