#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>

#include "commands/commands.h"
#include "options/common.h"

namespace tessera::tools {

/// Arguments of each subcommand of `experiment`: their defaults differ.
struct ExperimentOptions {
  std::map<std::string, ExperimentArguments> lab;
  RecoveryArguments recovery;
};

/// Flags and names are those of the program the lab follows.
inline void add_lab_settings(CLI::App& command, LabSettings& s) {
  command.add_option("--D", s.data_dim, "Features of a row")->capture_default_str();
  command.add_option("--rank", s.rank, "Directions in which the data vary")->capture_default_str();
  command.add_option("--m", s.latent_dim, "Latent features")->capture_default_str();
  command.add_option("--K", s.codebook_size, "Codes")->capture_default_str();
  command.add_option("--n_train", s.train_rows, "Rows to train on")->capture_default_str();
  command.add_option("--n_eval", s.eval_rows, "Rows to measure on")->capture_default_str();
  command.add_option("--noise", s.noise_variance, "Variance of noise on every feature")
      ->capture_default_str();
  command.add_option("--steps", s.steps, "Training steps")->capture_default_str();
  command.add_option("--batch", s.batch, "Rows of a step")->capture_default_str();
  command.add_option("--alpha", s.codebook_weight, "Weight of the codebook loss")
      ->capture_default_str();
  command.add_option("--beta", s.commitment_weight, "Weight of the commitment loss")
      ->capture_default_str();
  command.add_option("--lrW", s.encoder_rate, "Learning rate of the encoder")
      ->capture_default_str();
  command.add_option("--lrE", s.codebook_rate, "Learning rate of the codebook")
      ->capture_default_str();
}

inline std::string known_methods() {
  std::string names;
  for (const LabMethod& method : lab_methods())
    names.append(names.empty() ? "" : ",").append(method.name);
  return names;
}

inline void add_recovery(CLI::App& experiment, RecoveryArguments& a, Common& common,
                         int& exit_code) {
  CLI::App& command = *experiment.add_subcommand(
      "learnable-recovery", "Whether learned categories are those that were planted");
  command
      .add_option("--cases", a.cases,
                  "Some of misplaced,blind,random,spare,reference,hard (default: all)")
      ->delimiter(',');
  command.add_option("--seed", a.seed, "First seed")->capture_default_str();
  command.add_option("--seeds", a.seeds, "How many seeds, one after another")
      ->capture_default_str();
  command.add_option("--samples", a.samples, "Rows of each data set")->capture_default_str();
  command.add_option("--epochs", a.epochs, "Epochs of every run (0: as the case says)")
      ->capture_default_str();
  command.add_option("--outdir", a.outdir, "Folder for results")->capture_default_str();
  command.add_flag("--fresh", a.fresh, "Repeat runs the folder already holds");
  add_device(command, common);
  command.callback([&] {
    common.apply();
    exit_code = run_recovery_experiment(a, common.device, common.verbosity());
  });
}

inline void add_experiment(CLI::App& app, ExperimentOptions& options, Common& common,
                           int& exit_code) {
  struct Row {
    const char *name, *what, *outdir;
    int64_t seeds;
  };
  static constexpr Row kRows[] = {
      {"compare", "All methods at settings of your own", "results_out", 1},
      {"convergence", "500 steps, K=32", "comprehensive_results", 10},
      {"codebook", "K = 8, 16, 32, 64", "comprehensive_results", 10},
      {"commitment", "beta = 0, 0.1, 0.25, 0.5, 1", "comprehensive_results", 10},
      {"verification", "Gradients by tape and by hand, K=16", "comprehensive_results", 10},
      {"stress", "Rates, batch sizes and data beyond the usual", "comprehensive_results", 10},
      {"all", "The five before this one, on one page", "comprehensive_results", 10},
      {"accept", "Check the lab against its reference figures", "", 30},
  };
  CLI::App& experiment =
      *app.add_subcommand("experiment", "Compare ways to train, over many seeds");
  experiment.require_subcommand(1);
  for (const Row& row : kRows) {
    const std::string name = row.name;
    ExperimentArguments& a = options.lab[name];
    a.seeds = row.seeds;
    a.outdir = row.outdir;
    CLI::App& command = *experiment.add_subcommand(name, row.what);
    if (name == "compare") add_lab_settings(command, a.settings);
    command.add_option("--seed", a.settings.seed, "First seed")->capture_default_str();
    command.add_option("--seeds", a.seeds, "How many seeds, one after another")
        ->capture_default_str();
    if (name != "accept") {
      command.add_option("--methods", a.methods, "Some of " + known_methods())->delimiter(',');
      command
          .add_option("--start", a.settings.start,
                      "fair: all from the baseline's result; reference: the source's start")
          ->capture_default_str();
    }
    command.add_option("--outdir", a.outdir, "Folder for results")->capture_default_str();
    command.add_flag("--fresh", a.fresh, "Repeat runs the folder already holds");
    add_device(command, common);
    command.callback([&a, &common, &exit_code, name] {
      common.apply();
      exit_code = run_experiment(name, a, common.device, common.verbosity());
    });
  }
  add_recovery(experiment, options.recovery, common, exit_code);
}

}  // namespace tessera::tools
