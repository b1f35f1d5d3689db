#include <fmt/format.h>

#include <filesystem>

#include "report/experiment_json.h"
#include "report/experiment_pages.h"
#include "report/markup.h"
#include "tessera/experiment.h"
#include "tessera/files/file_writer.h"

namespace tessera {
namespace {

std::string in(const LabOptions& options, const std::string& file) {
  return (std::filesystem::path(options.outdir) / file).string();
}

Json config_of(const LabOutcome& outcome, const LabOptions& options) {
  Json config = {{"experiment", outcome.experiment.name}};
  if (outcome.points.size() == 1) config.update(to_json(outcome.points.front().point.settings));
  config["seed"] = options.first_seed;
  config["seeds"] = options.seeds;
  config["device"] = to_string(options.device);
  config["outdir"] = options.outdir;
  return config;
}

Json summary_of(const LabOutcome& outcome, const LabOptions& options) {
  Json summary = {{"config", config_of(outcome, options)}};
  if (outcome.points.size() == 1) {
    summary["config"]["point"] = to_json(outcome.points.front().point);
    summary.update(to_json(outcome.points.front()));
    return summary;
  }
  for (const PointSummary& point : outcome.points) {
    Json& json = summary["points"][point.point.name] = {{"config", to_json(point.point)}};
    json.update(to_json(point));
  }
  return summary;
}

/// Entries of all runs, each with its seed and, where there are several, its point.
Json logs_of(const LabOutcome& outcome, const std::string& method) {
  Json list = Json::array();
  for (const LabRun& run : outcome.runs)
    for (const Json& entry : to_json(run.results.at(method).log)) {
      Json line = {{"seed", run.seed}};
      if (!run.point.empty()) line["point"] = run.point;
      line.update(entry);
      list.push_back(std::move(line));
    }
  return list;
}

constexpr const char* kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Quantization-methods lab</title>
<style>
body { font-family: sans-serif; max-width: 1280px; margin: 2em auto; padding: 0 1em; color: #222; }
pre { background: #f5f5f5; padding: 1em; overflow-x: auto; font-size: 13px; }
svg { max-width: 100%; height: auto; border: 1px solid #ddd; margin: 0.5em 0; }
</style></head><body>
<h1>Quantization-methods lab</h1>
<p>One model throughout: x -&gt; z = W x -&gt; q = nearest of K codes -&gt; W<sup>T</sup> q, with orthonormal rows
of W. Errors are sums over features and means over rows that trained nothing. What a method does
better than the baseline is its change seed by seed, with a standard error; a change within two of
those is noise.</p>
)";

}  // namespace

std::string lab_report(const std::vector<LabOutcome>& outcomes, const LabOptions& options) {
  std::string page = kHead;
  for (const LabOutcome& outcome : outcomes) {
    page += fmt::format("<h2>{}: {}</h2>\n<pre>{}</pre>\n", escaped_markup(outcome.experiment.name),
                        escaped_markup(outcome.experiment.title), escaped_markup(lab_table(outcome)));
    for (const NamedPage& picture : lab_pages(outcome)) page += svg_of(picture.page);
    page += fmt::format("<details><summary>Settings</summary><pre>{}</pre></details>\n",
                        escaped_markup(config_of(outcome, options).dump(1)));
  }
  return page + "</body></html>\n";
}

void write_lab_results(const LabOutcome& outcome, const LabOptions& options) {
  write_file(in(options, "summary.json"), summary_of(outcome, options).dump(1) + "\n");
  for (const std::string& name : outcome.points.front().point.methods)
    if (lab_method(name).has_steps)
      write_file(in(options, method_stem(name) + "_logs.json"),
                 logs_of(outcome, name).dump() + "\n");
  for (const NamedPage& picture : lab_pages(outcome))
    write_page(in(options, picture.file), picture.page);
  write_file(in(options, "report.html"), lab_report({outcome}, options));
}

void write_lab_overview(const std::vector<LabOutcome>& outcomes, const LabOptions& options) {
  Json all = Json::object();
  for (const LabOutcome& outcome : outcomes)
    all[outcome.experiment.name] = summary_of(outcome, options);
  write_file(in(options, "all_experiments.json"), all.dump(1) + "\n");
  write_file(in(options, "report.html"), lab_report(outcomes, options));
}

}  // namespace tessera
