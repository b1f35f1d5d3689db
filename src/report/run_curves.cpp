#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tessera/error.h"
#include "tessera/report/tokenizer_report.h"

namespace tessera {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();

RunSeries& series_named(RunCurves& curves, const std::string& name) {
  for (RunSeries& series : curves.series)
    if (series.name == name) return series;
  return curves.series.emplace_back(RunSeries{name, {}});
}

void add_epoch(RunCurves& curves, const nlohmann::ordered_json& line) {
  const size_t before = curves.epochs.size();
  curves.epochs.push_back(line.at("epoch").get<double>());
  for (const auto& [key, value] : line.items()) {
    if (key == "epoch" || !(value.is_number() || value.is_null())) continue;
    RunSeries& series = series_named(curves, key);
    series.values.resize(before, kMissing);
    series.values.push_back(value.is_null() ? kMissing : value.get<double>());
  }
  for (RunSeries& series : curves.series) series.values.resize(before + 1, kMissing);
}

}  // namespace

const RunSeries* RunCurves::find(std::string_view name) const {
  for (const RunSeries& one : series)
    if (one.name == name) return &one;
  return nullptr;
}

RunCurves read_run_curves(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  if (file) text << file.rdbuf();
  require(file.good() && !file.bad(), ErrorKind::Data, path,
          ": the run's numbers by epoch cannot be read; name the folder of a run");
  RunCurves curves;
  for (std::string line; std::getline(text, line);) {
    const bool whole = !text.eof();  // its line break is written last
    if (line.empty()) continue;
    const auto json = nlohmann::ordered_json::parse(line, nullptr, false);
    if (json.is_object() && json.contains("epoch") && json["epoch"].is_number())
      add_epoch(curves, json);
    else
      curves.broken_lines += whole;
  }
  return curves;
}

}  // namespace tessera
