#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tessera {

/// A fixed number of bytes with a name for messages. Every reader takes one, so that a file and
/// a block of memory are parsed by the same code. Reads from several threads may overlap.
class ByteSource {
 public:
  ByteSource(std::string name, uint64_t size) : name_(std::move(name)), size_(size) {}
  virtual ~ByteSource() = default;
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  const std::string& name() const { return name_; }
  uint64_t size() const { return size_; }

  /// Fills `into` with the bytes from `offset` on.
  /// Throws Error (Data) where they reach past the end or cannot be read.
  void read(uint64_t offset, std::span<std::byte> into) const;

  /// The first bytes, at most `count`.
  std::vector<std::byte> first_bytes(size_t count) const;

 private:
  virtual void read_inside(uint64_t offset, std::span<std::byte> into) const = 0;

  std::string name_;
  uint64_t size_;
};

/// Bytes of a regular file, which stays open.
class FileSource : public ByteSource {
 public:
  /// Throws Error (Data) for a missing file, a folder, a pipe or device, and where reading is
  /// not allowed.
  explicit FileSource(const std::string& path);
  ~FileSource() override;

 private:
  struct Opened {
    int descriptor;
    uint64_t size;
  };
  static Opened open(const std::string& path);
  FileSource(const std::string& path, Opened opened)
      : ByteSource(path, opened.size), descriptor_(opened.descriptor) {}
  void read_inside(uint64_t offset, std::span<std::byte> into) const override;

  int descriptor_;
};

/// Bytes in memory that someone else keeps alive.
class MemorySource : public ByteSource {
 public:
  explicit MemorySource(std::span<const std::byte> bytes, std::string name = "memory")
      : ByteSource(std::move(name), bytes.size()), bytes_(bytes) {}

 private:
  void read_inside(uint64_t offset, std::span<std::byte> into) const override;

  std::span<const std::byte> bytes_;
};

}  // namespace tessera
