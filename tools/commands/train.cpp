#include <fmt/format.h>

#include "commands/commands.h"
#include "tessera/device.h"
#include "tessera/trainer.h"

namespace tessera::tools {
namespace {

constexpr int kInterrupted = 130;

/// Flags are shorthands for training.* and win over everything else.
Config configured(const TrainArguments& arguments) {
  if (!arguments.device.empty()) parse_device(arguments.device);  // as a flag: Usage, not Config
  std::vector<std::string> overrides = arguments.overrides;
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) overrides.push_back(std::string(key) + "=" + value);
  };
  const auto number = [](std::optional<int64_t> value) { return value ? std::to_string(*value) : ""; };
  const auto quoted = [](const std::string& text) {
    std::string result = text.empty() ? "" : "'";
    for (const char c : text) result += c == '\'' ? "''" : std::string(1, c);
    return result.empty() ? result : result + "'";
  };
  add("training.num_epochs", number(arguments.epochs));
  add("training.seed", number(arguments.seed));
  add("training.threads", number(arguments.threads));
  add("training.device", arguments.device);
  add("training.checkpoint_dir", quoted(arguments.output));
  add("data.path", quoted(arguments.input));
  return load_config(arguments.config, overrides);
}

}  // namespace

int run_train(const TrainArguments& arguments, Verbosity verbosity) {
  const Config config = configured(arguments);
  if (config.training.threads > 0) set_threads(static_cast<int>(config.training.threads));
  Console console(verbosity);
  for (const std::string& change : changes_from_base(arguments.config, arguments.overrides))
    console.detail("differs from the extended config: " + change);
  if (arguments.dry_run) {
    fmt::print("{}# {}", to_yaml(config), "");
    std::string text = describe_run(config);
    for (size_t at = text.find('\n'); at != std::string::npos && at + 1 < text.size();
         at = text.find('\n', at + 3))
      text.insert(at + 1, "# ");
    fmt::print("{}", text);
    return 0;
  }
  const TrainReport report =
      train({.config = config, .resume = arguments.resume, .overwrite = arguments.overwrite}, console);
  if (report.interrupted) return kInterrupted;
  console.line(fmt::format("Done: {} epochs, {} steps, {} of training; run folder {}", report.epochs,
                           report.steps, duration_text(report.seconds), report.folder));
  return 0;
}

}  // namespace tessera::tools
