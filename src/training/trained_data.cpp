#include <filesystem>

#include "tessera/evaluate.h"

namespace tessera {
namespace fs = std::filesystem;

std::string trained_data(const TrainedModel& model) {
  const std::string& path = model.config.data.path;
  std::error_code error;
  if (fs::exists(path, error)) return path;
  const fs::path beside = fs::path(model.path).parent_path() / path;
  require(fs::exists(beside, error), ErrorKind::Data, path,
          ": the data this model was trained on is not here; name data with --data");
  return beside.string();
}

}  // namespace tessera
