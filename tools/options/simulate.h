#pragma once

#include "commands/commands.h"
#include "options/common.h"

namespace tessera::tools {

inline void add_simulate(CLI::App& app, SimulateArguments& a, Common& common, int& exit_code) {
  CLI::App& command = *app.add_subcommand(
      "simulate",
      "Make a data set: a reaction-diffusion system, or features with known categories");
  const CLI::Range counts(int64_t{1}, int64_t{1} << 30);
  command.add_option("--output", a.output, "A file ending in .h5, or a folder of .npy files");
  command.add_option("--samples", a.samples, "Samples (default: 10000, planted 4000)")
      ->check(counts);
  command.add_option("--seed", a.seed, "Other data for another number")->capture_default_str();
  auto* frames = command.add_option("--frames", a.frames, "Recorded frames of a sample")
                     ->capture_default_str()
                     ->check(CLI::Range(int64_t{1}, int64_t{1} << 16));
  auto* steps =
      command.add_option("--steps-per-frame", a.steps_per_frame, "Steps between recorded frames")
          ->capture_default_str()
          ->check(CLI::Range(int64_t{1}, int64_t{1} << 16));
  auto* lengths = command.add_flag("--variable-lengths", a.variable_lengths,
                                   "Samples of 16, 32, 64, 128 or 256 frames");
  command.add_option("--contact-sheet", a.contact_sheet,
                     "Write a PNG of the known patterns, each under its name");
  auto* planted = command.add_flag(
      "--planted", a.planted, "Features in known categories instead; the truth is written beside");
  for (CLI::Option* option : {frames, steps, lengths}) planted->excludes(option);
  command.add_flag("--even", a.even, "Every second feature invisible to correlation")
      ->needs(planted);
  add_threads(command, common.threads);
  add_verbosity(command, common);
  command.callback([&] {
    common.apply();
    exit_code = run_simulate(a, common.verbosity());
  });
}

}  // namespace tessera::tools
