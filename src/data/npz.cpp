#include "tessera/files/npz.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "data/byte_stream.h"
#include "data/bytes.h"
#include "data/npy_header.h"
#include "data/zip_format.h"

namespace tessera {
namespace {

[[noreturn]] void fail_damaged(std::string_view where, std::string_view what) {
  fail(ErrorKind::Data, where, ": ", what, "; the archive is damaged or truncated");
}

/// Numbers taken one after another from a block of bytes.
class Cursor {
 public:
  Cursor(std::span<const std::byte> bytes, std::string_view where) : bytes_(bytes), where_(where) {}

  template <class T>
  T take() {
    return load_le<T>(take_bytes(sizeof(T)));
  }
  std::span<const std::byte> take_bytes(uint64_t count) {
    if (count > bytes_.size()) fail_damaged(where_, "a record of the zip directory is cut short");
    const auto taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }
  bool is_empty() const { return bytes_.empty(); }

 private:
  std::span<const std::byte> bytes_;
  std::string_view where_;
};

/// Replaces those of the values that say so by what the zip64 field holds, in this order.
void take_zip64(std::span<const std::byte> extra, std::initializer_list<uint64_t*> values,
                std::string_view where) {
  Cursor fields(extra, where);
  while (!fields.is_empty()) {
    const auto id = fields.take<uint16_t>();
    Cursor field(fields.take_bytes(fields.take<uint16_t>()), where);
    if (id != kZip64Field) continue;
    for (uint64_t* value : values) {
      if (*value == kIn64Field) *value = field.take<uint64_t>();
    }
    return;
  }
}

std::unique_ptr<ByteStream> open_member(const ByteSource& source, uint64_t offset,
                                        uint64_t packed_bytes, uint16_t method,
                                        std::string_view where) {
  if (method == kStored) return std::make_unique<PlainStream>(source, offset, packed_bytes, where);
  return std::make_unique<InflateStream>(source, offset, packed_bytes, Packing::Deflate, where);
}

}  // namespace

NpzFile::NpzFile(const std::string& path) : NpzFile(std::make_shared<FileSource>(path)) {}

NpzFile::NpzFile(std::shared_ptr<const ByteSource> source) : source_(std::move(source)) {
  read_directory(find_directory());
}

NpzFile::Directory NpzFile::find_directory() const {
  const std::string& where = source_->name();
  const uint64_t size = source_->size();
  require(size >= kEndBytes, ErrorKind::Data, where, ": ", size,
          " bytes are too few for a .npz archive; the file is truncated");
  // The end record stands last but for a comment of at most 65535 bytes whose length it knows.
  const uint64_t tail_bytes = std::min<uint64_t>(size, kEndBytes + 0xFFFF);
  std::vector<std::byte> tail(tail_bytes);
  source_->read(size - tail_bytes, tail);
  std::optional<uint64_t> found;
  for (uint64_t at = tail_bytes - kEndBytes + 1; at-- > 0 && !found;) {
    const auto record = std::span(tail).subspan(at);
    if (load_le<uint32_t>(record) == kEndMark &&
        load_le<uint16_t>(record.subspan(20)) == record.size() - kEndBytes) {
      found = at;
    }
  }
  require(found.has_value(), ErrorKind::Data, where,
          ": no zip directory at the end; the file is truncated, or not a .npz archive");

  const uint64_t end_record = size - tail_bytes + *found;
  Cursor record({tail.begin() + *found + 4, tail.end()}, where);
  const auto disk = record.take<uint16_t>(), directory_disk = record.take<uint16_t>();
  record.take<uint16_t>();  // members on this disk
  Directory directory;
  directory.members = record.take<uint16_t>();
  directory.bytes = record.take<uint32_t>();
  directory.offset = record.take<uint32_t>();
  uint64_t directory_end = end_record;
  if (directory.members == 0xFFFF || directory.bytes == kIn64Field ||
      directory.offset == kIn64Field) {
    directory = find_zip64_directory(end_record);
    directory_end = end_record - kLocator64Bytes - kEnd64Bytes;
  } else {
    require(disk == 0 && directory_disk == 0, ErrorKind::Data, where,
            ": a zip archive split over several files; join them");
  }
  if (directory.bytes > directory_end || directory.offset != directory_end - directory.bytes) {
    fail_damaged(where, "the zip directory is not where the end of the archive says");
  }
  return directory;
}

NpzFile::Directory NpzFile::find_zip64_directory(uint64_t end_record) const {
  const std::string& where = source_->name();
  if (end_record < kLocator64Bytes + kEnd64Bytes) fail_damaged(where, "no zip64 records");
  std::array<std::byte, kEnd64Bytes + kLocator64Bytes> bytes;
  const uint64_t at = end_record - bytes.size();
  source_->read(at, bytes);
  Cursor record({bytes.data(), kEnd64Bytes}, where);
  Cursor locator({bytes.data() + kEnd64Bytes, kLocator64Bytes}, where);
  if (record.take<uint32_t>() != kEnd64Mark || locator.take<uint32_t>() != kLocator64Mark) {
    fail_damaged(where, "no zip64 records");
  }
  locator.take<uint32_t>();  // disk
  if (locator.take<uint64_t>() != at) fail_damaged(where, "the zip64 record is elsewhere");
  record.take_bytes(8 + 2 + 2 + 4 + 4 + 8);  // length, versions, disks, members on this disk
  Directory directory;
  directory.members = record.take<uint64_t>();
  directory.bytes = record.take<uint64_t>();
  directory.offset = record.take<uint64_t>();
  return directory;
}

void NpzFile::read_directory(const Directory& directory) {
  const std::string& where = source_->name();
  directory_offset_ = directory.offset;
  auto bytes = allocate_bytes(static_cast<int64_t>(directory.bytes), where);
  source_->read(directory.offset, bytes);
  Cursor record(bytes, where);
  uint64_t members = 0;
  for (; !record.is_empty(); ++members) {
    if (record.take<uint32_t>() != kMemberMark) fail_damaged(where, "a directory entry is broken");
    record.take_bytes(2 + 2);  // versions
    const auto flags = record.take<uint16_t>();
    Member member;
    member.method = record.take<uint16_t>();
    record.take_bytes(2 + 2);  // time, date
    member.crc = record.take<uint32_t>();
    member.packed_bytes = record.take<uint32_t>();
    member.bytes = record.take<uint32_t>();
    const auto name_bytes = record.take<uint16_t>(), extra_bytes = record.take<uint16_t>();
    const auto comment_bytes = record.take<uint16_t>();
    record.take_bytes(2 + 2 + 4);  // disk, attributes
    member.offset = record.take<uint32_t>();
    std::string name(as_text(record.take_bytes(name_bytes)));
    take_zip64(record.take_bytes(extra_bytes),
               {&member.bytes, &member.packed_bytes, &member.offset}, where);
    record.take_bytes(comment_bytes);
    if (name.ends_with(kSuffix)) add_member(std::move(name), flags, member);
  }
  if (members != directory.members) fail_damaged(where, "the zip directory lacks entries");
}

void NpzFile::add_member(std::string name, uint16_t flags, const Member& member) {
  const std::string& where = source_->name();
  name.resize(name.size() - kSuffix.size());
  require(!(flags & kEncryptedFlag), ErrorKind::Data, where, ": ", printable(name),
          " is encrypted; save it without a password");
  require(member.method == kStored || member.method == kDeflated, ErrorKind::Data, where, ": ",
          printable(name), " has zip method ", member.method,
          "; 0 (stored) and 8 (deflate) are supported, save it with numpy.savez");
  if (member.offset > directory_offset_ ||
      member.packed_bytes > directory_offset_ - member.offset) {
    fail_damaged(where, printable(name) + " reaches into the zip directory");
  }
  const bool is_possible = member.method == kStored
                               ? member.bytes == member.packed_bytes
                               : member.bytes <= max_inflated(member.packed_bytes);
  require(is_possible, ErrorKind::Data, where, ": ", printable(name), " should unpack to ",
          member.bytes, " bytes from ", member.packed_bytes,
          ", which is impossible; the archive is damaged");
  require(members_.emplace(name, member).second, ErrorKind::Data, where, ": ", printable(name),
          " stands twice in the archive; give each array its own name");
  names_.push_back(std::move(name));
}

const NpzFile::Member& NpzFile::member(const std::string& name) const {
  const auto found = members_.find(name);
  if (found != members_.end()) return found->second;
  constexpr size_t kShown = 20;
  std::string known;
  for (size_t i = 0; i < std::min(names_.size(), kShown); ++i) {
    known += (i ? ", " : "") + printable(names_[i]);
  }
  if (names_.size() > kShown) known += ", ...";
  fail(ErrorKind::Data, source_->name(), ": no array ", printable(name), " among ", names_.size(),
       "; choose one of: ", known.empty() ? "(none)" : known);
}

uint64_t NpzFile::data_offset(const std::string& name, const Member& member) const {
  const std::string where = source_->name() + ":" + name;
  std::array<std::byte, kLocalBytes> bytes;
  source_->read(member.offset, bytes);
  Cursor record(bytes, where);
  const auto mark = record.take<uint32_t>();
  record.take_bytes(2);  // version
  const auto flags = record.take<uint16_t>(), method = record.take<uint16_t>();
  record.take_bytes(2 + 2 + 4 + 4 + 4);  // time, date, crc, sizes: the directory's are used
  const auto name_bytes = record.take<uint16_t>(), extra_bytes = record.take<uint16_t>();
  if (mark != kLocalMark || method != member.method || (flags & kEncryptedFlag)) {
    fail_damaged(where, "the header before the data is not what the zip directory says");
  }
  std::vector<std::byte> found(name_bytes);
  source_->read(member.offset + kLocalBytes, found);
  if (as_text(found) != name + std::string(kSuffix)) {
    fail_damaged(where, "the zip directory leads to " + printable(as_text(found)));
  }
  const uint64_t offset = member.offset + kLocalBytes + name_bytes + extra_bytes;
  if (offset > directory_offset_ || member.packed_bytes > directory_offset_ - offset) {
    fail_damaged(where, "the data reaches into the zip directory");
  }
  return offset;
}

ArrayInfo NpzFile::info(const std::string& name) const {
  const Member& found = member(name);
  const std::string where = source_->name() + ":" + name;
  const auto stream =
      open_member(*source_, data_offset(name, found), found.packed_bytes, found.method, where);
  return read_npy_header(*stream, found.bytes, where);
}

HostArray NpzFile::read(const std::string& name) const {
  const Member& found = member(name);
  const std::string where = source_->name() + ":" + name;
  const auto stream =
      open_member(*source_, data_offset(name, found), found.packed_bytes, found.method, where);
  ChecksumStream checked(*stream);
  const NpyInfo info = read_npy_header(checked, found.bytes, where);
  auto values = allocate_bytes(array_bytes(info.dtype, info.shape, where), where);
  checked.read(values);
  checked.expect_end();
  require(checked.crc() == found.crc, ErrorKind::Data, where, ": CRC-32 ", checked.crc(),
          " where the archive says ", found.crc, "; the file is damaged, get it again");
  return finish_npy(info, info.shape, std::move(values), where);
}

}  // namespace tessera
