#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tessera {

/// A value over steps as TensorBoard names it; a slash in the tag makes a group of charts.
using Scalar = std::pair<std::string, double>;

/// An event file that TensorBoard reads, open to be written.
///
/// A record is  length (8 bytes), masked CRC of them, message, masked CRC of it;  the message is a
/// protobuf Event {1: wall time, 2: step, 3: file version or 5: summary}, a summary repeated
/// {1: {1: tag, 2: simple_value}}. Everything little-endian.
/// Source: tensorflow/core/lib/io/record_writer.cc, tensorflow/core/util/event.proto.
class EventFile {
 public:
  /// Makes events.out.tfevents.<seconds>.<host>.<process>.<count> in `folder`, never one that is
  /// there. Throws Error (Data) where it cannot be written.
  explicit EventFile(const std::string& folder);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  /// One event with these values, rounded to float. Throws Error (Data) where it cannot be written.
  void add(uint64_t step, const std::vector<Scalar>& scalars);

  const std::string& path() const { return path_; }

 private:
  void write(const std::string& event);

  std::string path_;
  std::FILE* file_ = nullptr;
};

bool is_event_file(std::string_view name);

/// Cuts off what comes after `step`, and what is broken; a file left without values is removed.
/// Throws Error (Data) where the file cannot be read or written.
void keep_events_until(const std::string& path, uint64_t step);

/// CRC-32C (Castagnoli) of `bytes`. Source: RFC 3720, appendix B.4.
uint32_t crc32c(std::string_view bytes);

}  // namespace tessera
