#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "data/system_reason.h"
#include "tessera/error.h"
#include "tessera/files/byte_source.h"

namespace tessera {

void ByteSource::read(uint64_t offset, std::span<std::byte> into) const {
  require(offset <= size_ && into.size() <= size_ - offset, ErrorKind::Data, name_, ": ", size_,
          " bytes, but bytes ", offset, " to ", offset + into.size(),
          " are needed; the file is truncated");
  if (!into.empty()) read_inside(offset, into);
}

std::vector<std::byte> ByteSource::first_bytes(size_t count) const {
  std::vector<std::byte> bytes(std::min<uint64_t>(count, size_));
  read(0, bytes);
  return bytes;
}

void MemorySource::read_inside(uint64_t offset, std::span<std::byte> into) const {
  std::memcpy(into.data(), bytes_.data() + offset, into.size());
}

FileSource::FileSource(const std::string& path) : FileSource(path, open(path)) {}

FileSource::~FileSource() { ::close(descriptor_); }

FileSource::Opened FileSource::open(const std::string& path) {
  // O_NONBLOCK: a pipe without a writer is refused below instead of waited for.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    const int error = errno;
    require(error != ENOENT, ErrorKind::Data, path, ": no such file; check the path");
    fail(ErrorKind::Data, path, ": cannot be opened (", system_reason(error),
         "); check the path and its permissions");
  }
  struct stat status {};
  const bool is_known = ::fstat(descriptor, &status) == 0;
  if (!is_known || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    fail(ErrorKind::Data, path,
         is_known && S_ISDIR(status.st_mode) ? ": is a folder; name a file in it"
                                             : ": is not a regular file; save the data to one");
  }
  return {descriptor, static_cast<uint64_t>(status.st_size)};
}

void FileSource::read_inside(uint64_t offset, std::span<std::byte> into) const {
  constexpr size_t kPerCall = size_t{1} << 30;  // Linux transfers at most 2^31 - 4096 at once
  while (!into.empty()) {
    const ssize_t got = ::pread(descriptor_, into.data(), std::min(into.size(), kPerCall),
                                static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      fail(ErrorKind::Data, name(), ": cannot be read at byte ", offset, " (", system_reason(errno),
           "); check the disk or copy the file again");
    }
    require(got > 0, ErrorKind::Data, name(), ": ended at byte ", offset, " of ", size(),
            " while it was read; another program is changing it");
    offset += got;
    into = into.subspan(got);
  }
}

}  // namespace tessera
