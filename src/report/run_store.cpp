#include "report/run_store.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "report/experiment_json.h"
#include "tessera/error.h"
#include "tessera/files/file_writer.h"

namespace tessera {
namespace {
namespace fs = std::filesystem;

std::string header_of(const LabExperiment& experiment) {
  Json points = Json::array();
  for (LabPoint point : experiment.points) {
    point.settings.seed = 0;  // each line has its own
    points.push_back(to_json(point));
  }
  return Json{{"format", 1},
              {"tessera", TESSERA_VERSION},
              {"experiment", experiment.name},
              {"points", std::move(points)}}
      .dump();
}

/// The run a line holds; nothing where the line is cut off or holds something else.
std::optional<LabRun> whole_run(const std::string& line, const LabExperiment& experiment) {
  try {
    LabRun run = run_from_json(Json::parse(line));
    for (const LabPoint& point : experiment.points)
      if (point.name == run.point &&
          std::all_of(point.methods.begin(), point.methods.end(),
                      [&](const std::string& name) { return run.results.contains(name); }))
        return run;
  } catch (const Json::exception&) {
  }
  return std::nullopt;
}

}  // namespace

RunStore::RunStore(const std::string& folder, const LabExperiment& experiment, bool fresh)
    : path_((fs::path(folder) / "runs.jsonl").string()) {
  std::error_code error;
  fs::create_directories(folder, error);
  require(!error && fs::is_directory(folder, error), ErrorKind::Data, folder,
          ": the folder cannot be made (", error ? error.message() : "it is a file",
          "); name another with --outdir");
  const std::string header = header_of(experiment);
  std::string kept = header + "\n";
  std::ifstream old(path_);
  std::string line;
  if (std::getline(old, line)) {
    const bool same = line == header;
    replaced_ = !same;
    while (same && !fresh && std::getline(old, line)) {
      std::optional<LabRun> run = whole_run(line, experiment);
      if (!run) break;  // cut off, or not ours
      found_.push_back(std::move(*run));
      kept += line + "\n";
    }
  }
  old.close();
  write_file(path_, kept);
  file_.reset(std::fopen(path_.c_str(), "ab"));
  require(file_ != nullptr, ErrorKind::Data, path_, ": cannot be written (", std::strerror(errno),
          "); name another folder with --outdir");
}

void RunStore::append(const LabRun& run) {
  const std::string line = to_json(run).dump() + "\n";
  const bool written = std::fwrite(line.data(), 1, line.size(), file_.get()) == line.size() &&
                       std::fflush(file_.get()) == 0;
  require(written, ErrorKind::Data, path_, ": could not be written (", std::strerror(errno),
          "); make room and run the same command again, it goes on from the runs that are whole");
}

}  // namespace tessera
