#include <set>

#include "data/bytes.h"
#include "data/npy_header.h"
#include "data/zip_format.h"
#include "tessera/files/crc32.h"
#include "tessera/files/file_writer.h"
#include "tessera/files/npz.h"

namespace tessera {
namespace {

constexpr uint16_t kVersion = 45;  // 4.5: zip64
constexpr uint16_t kUtf8Flag = 1 << 11;
constexpr uint32_t kFirstDate = 0x00210000;  // 1980-01-01 00:00, the first a zip file can say

struct Member {
  std::string name;  // with .npy
  uint32_t crc;
  uint64_t bytes, offset;
};

/// What stands before the data and, with `in_directory`, in the directory: the same fields up to
/// the lengths, then name and zip64 field.
void put_member(ByteBuilder& out, const Member& member, bool in_directory) {
  const uint16_t sizes_bytes = in_directory ? 24 : 16;
  if (in_directory) {
    out.le(kMemberMark).le(kVersion);
  } else {
    out.le(kLocalMark);
  }
  out.le(kVersion).le(kUtf8Flag).le(kStored).le(kFirstDate).le(member.crc);
  out.le(kIn64Field).le(kIn64Field);  // sizes
  out.le(static_cast<uint16_t>(member.name.size()));
  out.le(static_cast<uint16_t>(4 + sizes_bytes));
  if (in_directory) {
    out.le(uint16_t{0}).le(uint16_t{0}).le(uint16_t{0});  // comment, disk, internal attributes
    out.le(uint32_t{0}).le(kIn64Field);                   // external attributes, offset
  }
  out.text(member.name);
  out.le(kZip64Field).le(sizes_bytes).le(member.bytes).le(member.bytes);
  if (in_directory) out.le(member.offset);
}

/// The zip64 end record, its locator, and the old end record that points to neither.
void put_end(ByteBuilder& out, uint64_t members, uint64_t offset, uint64_t bytes) {
  out.le(kEnd64Mark).le(kEnd64Bytes - 12);  // the length counts what follows it
  out.le(kVersion).le(kVersion).le(uint32_t{0}).le(uint32_t{0});
  out.le(members).le(members).le(bytes).le(offset);
  out.le(kLocator64Mark).le(uint32_t{0}).le(offset + bytes).le(uint32_t{1});
  out.le(kEndMark).le(uint16_t{0}).le(uint16_t{0}).le(uint16_t{0xFFFF}).le(uint16_t{0xFFFF});
  out.le(kIn64Field).le(kIn64Field).le(uint16_t{0});
}

}  // namespace

void write_npz(const std::string& path, std::span<const ArrayView> arrays) {
  FileWriter file(path);
  ByteBuilder directory;
  std::set<std::string> names;
  for (const ArrayView& array : arrays) {
    const bool is_valid = !array.name.empty() && array.name.size() < 0xFFFF - kSuffix.size();
    require(is_valid && names.insert(array.name).second, ErrorKind::Data, path, ": array name ",
            printable(array.name), " is empty, too long or repeated; give each array its own name");
    const auto header = npy_header(array.dtype, array.shape, path);
    const std::span values(static_cast<const std::byte*>(array.data),
                           array_bytes(array.dtype, array.shape, path));
    const Member member{array.name + std::string(kSuffix), crc32(values, crc32(header)),
                        header.size() + values.size(), file.bytes_written()};
    ByteBuilder local;
    put_member(local, member, false);
    put_member(directory, member, true);
    file.write(local.bytes());
    file.write(header);
    file.write(values);
  }
  const uint64_t offset = file.bytes_written(), bytes = directory.size();
  put_end(directory, arrays.size(), offset, bytes);
  file.write(directory.bytes());
  file.commit();
}

}  // namespace tessera
