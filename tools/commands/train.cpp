#include <fmt/format.h>

#include "commands/commands.h"
#include "commands/overrides.h"
#include "tessera/device.h"
#include "tessera/trainer.h"

namespace tessera::tools {
namespace {

Overrides overrides_of(const TrainArguments& arguments) {
  if (!arguments.device.empty()) parse_device(arguments.device);  // as a flag: Usage, not Config
  Overrides overrides(arguments.overrides);
  overrides.add("training.num_epochs", arguments.epochs);
  overrides.add("training.seed", arguments.seed);
  overrides.add("training.threads", arguments.threads);
  overrides.add("training.device", arguments.device);
  overrides.add("training.checkpoint_dir", arguments.output);
  overrides.add("data.path", arguments.input);
  if (arguments.learnable)
    overrides.add("training.category_assignment", std::string("learnable"));
  return overrides;
}

/// The keys that are not as in the config that this one extends, one a line.
std::vector<std::string> difference_lines(const std::vector<std::string>& changes) {
  if (changes.empty()) return {};
  std::vector<std::string> lines = {"Differs from the config it extends:"};
  for (const std::string& change : changes) lines.push_back("  " + change);
  return lines;
}

/// The config as YAML, all else as comments of it.
void print_dry_run(const Config& config, const std::vector<std::string>& differences) {
  for (const std::string& line : differences) fmt::print("# {}\n", line);
  fmt::print("{}", to_yaml(config));
  const std::string text = describe_run(config);
  for (size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    fmt::print("# {}\n", text.substr(begin, end - begin));
}

}  // namespace

int run_train(const TrainArguments& arguments, Verbosity verbosity) {
  const Overrides overrides = overrides_of(arguments);
  const Config config = load_config(arguments.config, overrides.lines());
  const std::vector<std::string> differences =
      difference_lines(changes_from_base(arguments.config, overrides.lines()));
  if (config.training.threads > 0) set_threads(static_cast<int>(config.training.threads));
  if (arguments.dry_run) {
    print_dry_run(config, differences);
    return 0;
  }
  Console console(verbosity);
  for (const std::string& line : differences) console.line(line);
  const TrainReport report = train(
      {.config = config, .resume = arguments.resume, .overwrite = arguments.overwrite}, console);
  if (report.interrupted) return kInterrupted;
  console.line(fmt::format("Done: {} epochs, {} steps, {} of training; run folder {}",
                           report.epochs, report.steps, duration_text(report.seconds),
                           report.folder));
  return 0;
}

}  // namespace tessera::tools
