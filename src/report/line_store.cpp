#include "report/line_store.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tessera/console.h"
#include "tessera/error.h"
#include "tessera/files/file_writer.h"

namespace tessera {

namespace fs = std::filesystem;

LineStore::LineStore(const std::string& folder, const std::string& header, bool fresh,
                     const std::function<bool(const std::string& line)>& take)
    : path_((fs::path(folder) / "runs.jsonl").string()) {
  std::error_code error;
  fs::create_directories(folder, error);
  require(!error && fs::is_directory(folder, error), ErrorKind::Data, folder,
          ": the folder cannot be made (", error ? error.message() : "it is a file",
          "); name another with --outdir");
  std::string kept = header + "\n";
  std::ifstream old(path_);
  std::string line;
  if (std::getline(old, line)) {
    const bool same = line == header;
    replaced_ = !same;
    while (same && !fresh && std::getline(old, line) && take(line)) kept += line + "\n";
  }
  old.close();
  write_file(path_, kept);
  file_.reset(std::fopen(path_.c_str(), "ab"));
  require(file_ != nullptr, ErrorKind::Data, path_, ": cannot be written (", std::strerror(errno),
          "); name another folder with --outdir");
}

void LineStore::append(const std::string& line) {
  const std::string whole = line + "\n";
  const bool written = std::fwrite(whole.data(), 1, whole.size(), file_.get()) == whole.size() &&
                       std::fflush(file_.get()) == 0;
  require(written, ErrorKind::Data, path_, ": could not be written (", std::strerror(errno),
          "); make room and run the same command again, it goes on from the runs that are whole");
}

void say_found(const LineStore& store, size_t used, Console& console) {
  if (store.replaced_others())
    console.warning(
        "runs of other settings in this folder were replaced; --outdir keeps them apart");
  if (used > 0)
    console.line(
        fmt::format("{} finished run{} found in the folder and not repeated (--fresh repeats them)",
                    used, used == 1 ? "" : "s"));
}

}  // namespace tessera
