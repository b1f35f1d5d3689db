#include <filesystem>

#include "data/bytes.h"
#include "data/npy_header.h"
#include "tessera/files.h"

namespace tessera {
namespace {

HostArray load_from_archive(const std::string& path, std::string name) {
  const NpzFile archive(path);
  if (name.empty()) {
    const auto& names = archive.names();
    require(names.size() == 1, ErrorKind::Data, path, ": an archive of ", names.size(),
            " arrays; say which one as ", path, ":", names.empty() ? "name" : names[0]);
    name = names[0];
  }
  return archive.read(name);
}

}  // namespace

HostArray load_array(const std::string& path, std::string_view format) {
  if (format == "npy") return read_npy(path);
  if (format == "idx") return read_idx(path);
  constexpr std::string_view kNamed = ".npz:";
  std::error_code ignored;
  const size_t named = path.rfind(kNamed);
  if (named != std::string::npos && !std::filesystem::exists(path, ignored)) {
    const size_t colon = named + kNamed.size() - 1;
    const std::string name = path.substr(colon + 1);
    require(!name.empty(), ErrorKind::Data, path, ": no name after the colon; write ",
            path.substr(0, colon), ":name");
    return load_from_archive(path.substr(0, colon), name);
  }
  if (format == "npz") return load_from_archive(path, "");
  const auto bytes = FileSource(path).first_bytes(kNpyMagic.size());
  const std::string_view start = as_text(bytes);
  if (start.starts_with(kNpyMagic)) return read_npy(path);
  if (start.starts_with("PK")) return load_from_archive(path, "");
  if (start.starts_with("\x1F\x8B") || start.starts_with(std::string_view("\0\0", 2))) {
    return read_idx(path);
  }
  // A damaged start: the reader that the name asks for says best what is wrong.
  const auto extension = std::filesystem::path(path).extension();
  if (extension == ".npy") return read_npy(path);
  if (extension == ".npz") return load_from_archive(path, "");
  fail(ErrorKind::Data, path, ": starts with ", printable(start),
       ", which is none of .npy, .npz and IDX (plain or gzipped); convert it to one of them");
}

}  // namespace tessera
