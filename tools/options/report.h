#pragma once

#include "commands/commands.h"
#include "options/common.h"

namespace tessera::tools {

inline void add_report(CLI::App& app, ReportArguments& a, Common& common, int& exit_code) {
  CLI::App& command =
      *app.add_subcommand("report", "Write a page of charts on a trained model: one HTML file");
  command.add_option("--checkpoint", a.checkpoint, "A .safetensors checkpoint, or a run folder")
      ->required();
  command.add_option("--output", a.output, "The page (default: report.html in the run folder)");
  command.add_option("--data", a.data,
                     "Data to measure (default: the rows that training held out for validation)");
  add_device(command, common);
  command.callback([&] {
    common.apply();
    exit_code = run_report(a, common.device, common.verbosity());
  });
}

}  // namespace tessera::tools
