#include "tessera/files/file_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "data/system_reason.h"
#include "tessera/error.h"

namespace tessera {
namespace {

std::string folder_of(const std::string& path) {
  const auto folder = std::filesystem::path(path).parent_path();
  return folder.empty() ? "." : folder.string();
}

/// Where `path` leads: the end of a symbolic link, else itself.
std::string follow_link(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_symlink(path, ignored)) return path;
  const auto target = std::filesystem::canonical(path, ignored);
  return ignored ? path : target.string();
}

/// The permissions of the old file, or -1 where there is none. A rename would replace a folder's
/// or device's name as readily as a file's, and a read-only file too; they are refused here.
int old_permissions(const std::string& path, const std::string& target) {
  struct stat status {};
  if (::stat(target.c_str(), &status) != 0) return -1;
  require(!S_ISDIR(status.st_mode), ErrorKind::Data, path,
          ": is a folder; name a file to be written in it");
  require(S_ISREG(status.st_mode), ErrorKind::Data, path,
          ": is a device or pipe; name a regular file to be written");
  if (::access(target.c_str(), W_OK) != 0) {
    fail(ErrorKind::Data, path, ": may not be overwritten (", system_reason(errno),
         "); choose another name");
  }
  return static_cast<int>(status.st_mode & 0777);
}

/// Makes a rename in `folder` durable. File systems that cannot sync a folder say EINVAL.
int sync_folder(const std::string& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return errno;
  const int error = ::fsync(descriptor) == 0 || errno == EINVAL ? 0 : errno;
  ::close(descriptor);
  return error;
}

}  // namespace

FileWriter::FileWriter(const std::string& path)
    : path_(path),
      target_(follow_link(path)),
      temporary_(target_ + ".tmp." + std::to_string(::getpid())) {
  const std::string folder = folder_of(target_);
  std::error_code ignored;
  require(std::filesystem::is_directory(folder, ignored), ErrorKind::Data, path,
          ": there is no folder '", folder, "' to write to; create it");
  const int permissions = old_permissions(path, target_);
  // What an earlier process of the same number left behind; O_EXCL keeps links from being followed.
  ::unlink(temporary_.c_str());
  const int descriptor = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  require(descriptor >= 0, ErrorKind::Data, path, ": cannot be written (", system_reason(errno),
          "); choose a folder that can be written to");
  if (permissions >= 0) (void)!::fchmod(descriptor, permissions);
  file_ = ::fdopen(descriptor, "wb");
  if (!file_) {
    const int error = errno;
    ::close(descriptor);
    ::unlink(temporary_.c_str());
    fail_writing(error);
  }
}

FileWriter::~FileWriter() {
  if (file_) std::fclose(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void FileWriter::write(std::span<const std::byte> bytes) {
  TESSERA_CHECK(file_, "FileWriter: written to after commit");
  if (bytes.empty()) return;
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) fail_writing(errno);
  bytes_written_ += bytes.size();
}

void FileWriter::write(std::string_view text) { write(std::as_bytes(std::span(text))); }

void FileWriter::commit() {
  TESSERA_CHECK(file_, "FileWriter: committed twice");
  if (std::fflush(file_) != 0 || ::fsync(::fileno(file_)) != 0) fail_writing(errno);
  if (std::fclose(std::exchange(file_, nullptr)) != 0) fail_writing(errno);
  if (std::rename(temporary_.c_str(), target_.c_str()) != 0) fail_writing(errno);
  temporary_.clear();
  if (const int error = sync_folder(folder_of(target_))) {
    fail(ErrorKind::Data, path_, ": written, but its folder cannot be synced to disk (",
         system_reason(error), "); check the disk");
  }
}

void FileWriter::fail_writing(int error) const {
  fail(ErrorKind::Data, path_, ": cannot be written beyond byte ", bytes_written_, " (",
       system_reason(error), "); free space or choose another folder, an old file there is unchanged");
}

void write_file(const std::string& path, std::span<const std::byte> bytes) {
  FileWriter file(path);
  file.write(bytes);
  file.commit();
}

void write_file(const std::string& path, std::string_view text) {
  write_file(path, std::as_bytes(std::span(text)));
}

}  // namespace tessera
