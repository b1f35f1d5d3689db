#include "report/run_store.h"

#include <algorithm>
#include <optional>

#include "report/experiment_json.h"

namespace tessera {
namespace {

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
    : lines_(folder, header_of(experiment), fresh, [&](const std::string& line) {
        std::optional<LabRun> run = whole_run(line, experiment);
        if (run) found_.push_back(std::move(*run));
        return run.has_value();
      }) {}

void RunStore::append(const LabRun& run) { lines_.append(to_json(run).dump()); }

}  // namespace tessera
