#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>

namespace tessera {

/// A file that appears whole or not at all: bytes go to `<path>.tmp.<pid>` beside the target,
/// and commit() makes them durable and renames. Without commit(), and on any failure before the
/// rename, the temporary file is removed and an old file at `path` is as it was.
///
/// A symbolic link is followed and kept; the permissions of an old file are kept. Not for two
/// writers of the same path in one process at a time.
class FileWriter {
 public:
  /// Throws Error (Data) where the folder is missing or not writable, and where `path` is a
  /// folder, a device, or a file that may not be written.
  explicit FileWriter(const std::string& path);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  /// Throws Error (Data) with the system's reason, for instance a full disk.
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);

  /// Flushes, syncs file and folder, and renames. Nothing may be written afterwards.
  void commit();

  const std::string& path() const { return path_; }
  /// The file that commit() renames, for libraries that write by name; empty afterwards.
  const std::string& temporary_path() const { return temporary_; }
  uint64_t bytes_written() const { return bytes_written_; }

 private:
  [[noreturn]] void fail_writing(int error) const;

  std::string path_;       // as asked for, for messages
  std::string target_;     // where links lead
  std::string temporary_;  // empty once it is renamed
  std::FILE* file_ = nullptr;
  uint64_t bytes_written_ = 0;
};

/// Writes one whole file as FileWriter does.
void write_file(const std::string& path, std::span<const std::byte> bytes);
void write_file(const std::string& path, std::string_view text);

}  // namespace tessera
