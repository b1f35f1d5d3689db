#include "tessera/experiment.h"

#include <fmt/format.h>

#include <filesystem>

#include "commands/commands.h"

namespace tessera::tools {
namespace {

LabOptions options_of(const ExperimentArguments& a, const std::string& device) {
  return {.methods = a.methods,
          .first_seed = a.settings.seed,
          .seeds = a.seeds,
          .device = parse_device(device),
          .outdir = a.outdir,
          .fresh = a.fresh};
}

/// Runs one experiment in its folder and writes what it found; false where it was interrupted.
bool run_one(const LabExperiment& experiment, const LabOptions& options, Console& console,
             std::vector<LabOutcome>& outcomes) {
  const double begin = now_seconds();
  outcomes.push_back(run_lab(experiment, options, console));
  const LabOutcome& outcome = outcomes.back();
  if (outcome.interrupted) {
    console.warning(fmt::format(
        "interrupted: {} finished runs are in {}/runs.jsonl; the same command goes on from there",
        outcome.runs.size(), options.outdir));
    return false;
  }
  write_lab_results(outcome, options);
  console.line(lab_table(outcome));
  console.line(fmt::format("{}: {:.1f} s; tables, pictures and report.html in {}", experiment.name,
                           now_seconds() - begin, options.outdir));
  return true;
}

std::string folder_in(const std::string& outdir, std::string_view name) {
  return (std::filesystem::path(outdir) / name).string();
}

int run_all(const ExperimentArguments& a, const LabOptions& options, Console& console) {
  std::vector<LabOutcome> outcomes;
  for (const std::string_view name : lab_experiment_names()) {
    if (name == "compare") continue;
    LabOptions one = options;
    one.outdir = folder_in(options.outdir, name);
    if (!run_one(lab_experiment(name, a.settings.start), one, console, outcomes))
      return kInterrupted;
  }
  write_lab_overview(outcomes, options);
  console.line(
      fmt::format("All of them on one page: {}", folder_in(options.outdir, "report.html")));
  return 0;
}

int run_accept(const LabOptions& options, Console& console) {
  bool interrupted = false;
  const std::vector<LabCheck> checks = run_lab_acceptance(options, console, interrupted);
  if (interrupted) {
    console.warning("interrupted; with --outdir the same command goes on from the runs that ended");
    return kInterrupted;
  }
  size_t failed = 0;
  for (const LabCheck& check : checks) failed += check.passed ? 0 : 1;
  console.line(fmt::format("\n{} of {} checks passed", checks.size() - failed, checks.size()));
  return failed == 0 ? 0 : static_cast<int>(ErrorKind::Internal);
}

}  // namespace

int run_experiment(const std::string& name, const ExperimentArguments& arguments,
                   const std::string& device, Verbosity verbosity) {
  Console console(verbosity);
  LabOptions options = options_of(arguments, device);
  if (name == "accept") return run_accept(options, console);
  require(!options.outdir.empty(), ErrorKind::Usage,
          "experiment: --outdir is empty; name a folder for the results");
  if (name == "all") return run_all(arguments, options, console);
  std::vector<LabOutcome> outcomes;
  if (name == "compare")
    return run_one(lab_comparison(arguments.settings, {}), options, console, outcomes)
               ? 0
               : kInterrupted;
  options.outdir = folder_in(options.outdir, name);
  return run_one(lab_experiment(name, arguments.settings.start), options, console, outcomes)
             ? 0
             : kInterrupted;
}

}  // namespace tessera::tools
