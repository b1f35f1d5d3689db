// Finding checkpoints: by file, by folder, the newest whole one.
#include <filesystem>

#include "tessera/checkpoint.h"
#include "training/checkpoint_metadata.h"

namespace tessera {

namespace fs = std::filesystem;

std::string checkpoint_file(const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    require(fs::exists(path, error), ErrorKind::Data, path,
            ": no such checkpoint; give a .safetensors file or a run folder");
    return path;
  }
  for (const char* name : {"best.safetensors", "last.safetensors"})
    if (fs::exists(fs::path(path) / name, error)) return (fs::path(path) / name).string();
  std::vector<std::string> skipped;
  if (const auto newest = newest_checkpoint(path, skipped)) return *newest;
  fail(ErrorKind::Data, path,
       ": holds no checkpoint (best.safetensors or last.safetensors); train "
       "first, or give the run's folder");
}

std::optional<uint64_t> whole_checkpoint_step(const std::string& path, std::string* why) {
  try {
    const SafetensorsFile file(path);
    metadata_config(file);
    for (const std::string& name : file.names()) {
      require(file.has_checksum(name), ErrorKind::Data, path, ": ", name, " has no checksum");
      file.read(name);
    }
    return metadata_number(file, "step");
  } catch (const std::exception& error) {
    *why = error.what();
    return {};
  }
}

std::optional<std::string> newest_checkpoint(const std::string& folder,
                                             std::vector<std::string>& skipped) {
  std::optional<std::string> newest;
  uint64_t newest_step = 0;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    const bool is_last = name == "last.safetensors", is_best = name == "best.safetensors";
    const bool is_step = name.starts_with("step_") && name.ends_with(".safetensors");
    if (!is_last && !is_best && !is_step) continue;
    std::string why;
    const std::optional<uint64_t> step = whole_checkpoint_step(entry.path().string(), &why);
    if (!step)
      skipped.push_back(why);
    else if (!newest || *step > newest_step || (*step == newest_step && is_last)) {
      newest = entry.path().string();
      newest_step = *step;
    }
  }
  return newest;
}

}  // namespace tessera
