#pragma once

#include "commands/commands.h"
#include "options/common.h"

namespace tessera::tools {

inline void add_discover(CLI::App& app, DiscoverArguments& a, Common& common, int& exit_code) {
  CLI::App& command =
      *app.add_subcommand("discover", "Find categories of features that belong together");
  command.add_option("--input", a.input, "Features: .h5, a data set's folder, .npy, .npz (data.path)");
  command.add_option("--output", a.output, "Folder for the mapping, report and charts")->required();
  command.add_option("--config", a.config, "YAML config (default: all defaults)");
  command.add_option("--seed", a.seed, "Shorthand for training.seed")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--device", a.device, "auto, cpu, cuda or cuda:<i>");
  add_threads(command, common.threads);
  add_verbosity(command, common);
  command.add_option("overrides", a.overrides, "key.path=value, as in categories.num_categories=8");
  command.callback([&] {
    a.threads = common.threads;
    exit_code = run_discover(a, common.verbosity());
  });
}

}  // namespace tessera::tools
