#pragma once

#include <nlohmann/json.hpp>

#include "tessera/experiment.h"

namespace tessera {

using Json = nlohmann::ordered_json;

/// Settings under the names of the program's flags; NaN is null everywhere.
Json to_json(const LabSettings& settings);
Json to_json(const LabPoint& point);
Json to_json(const LabMetrics& metrics);
Json to_json(const std::vector<LabLogEntry>& log);
Json to_json(const LabRun& run);
Json to_json(const SeedStatistics& statistics);
/// {methods: {<name>: {recon_mse: {mean, sd, se, values}, ...}}, paired: {<name>: {...}}}
Json to_json(const PointSummary& point);

/// Throws nlohmann's errors for another form.
LabRun run_from_json(const Json& json);

}  // namespace tessera
