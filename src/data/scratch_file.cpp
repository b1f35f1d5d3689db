#include "data/scratch_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "tessera/error.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

std::string folder_or_default(const std::string& folder) {
  std::error_code ignored;
  return folder.empty() ? fs::temp_directory_path(ignored).string() : folder;
}

}  // namespace

ScratchFile::ScratchFile(const std::string& folder, uint64_t size)
    : ByteSource(folder_or_default(folder) + "/(scratch file)", size) {
  std::error_code ignored;
  fs::create_directories(folder_or_default(folder), ignored);
  std::string name = folder_or_default(folder) + "/tessera-raw-XXXXXX";
  descriptor_ = ::mkstemp(name.data());
  require(descriptor_ >= 0, ErrorKind::Data, this->name(), ": cannot be made (",
          std::strerror(errno), "); choose a folder that can be written to");
  ::unlink(name.c_str());
}

ScratchFile::~ScratchFile() { ::close(descriptor_); }

void ScratchFile::write(uint64_t offset, std::span<const std::byte> bytes) {
  TESSERA_CHECK(offset + bytes.size() <= size(), "scratch file: ", offset, " + ", bytes.size(),
                " of ", size(), " bytes");
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    require(written > 0, ErrorKind::Data, name(), ": the uncompressed copy of ", size(),
            " bytes cannot be written (", std::strerror(errno),
            "); free space there, or choose another folder");
    bytes = bytes.subspan(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
}

void ScratchFile::read_inside(uint64_t offset, std::span<std::byte> into) const {
  while (!into.empty()) {
    const ssize_t got = ::pread(descriptor_, into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    require(got > 0, ErrorKind::Data, name(), ": cannot be read back at byte ", offset, " (",
            got < 0 ? std::strerror(errno) : "it ends there", ")");
    into = into.subspan(static_cast<size_t>(got));
    offset += static_cast<uint64_t>(got);
  }
}

}  // namespace tessera
