#pragma once

// What flags the subcommands share. The headers of this folder are parts of tessera.cpp, the only
// file that sees CLI11: it takes seconds to compile.

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "tessera/console.h"
#include "tessera/device.h"

namespace tessera::tools {

inline constexpr int kMaxThreads = 1024;

struct Common {
  std::string device = "auto";
  std::optional<int> threads;
  bool verbose = false, quiet = false;

  Verbosity verbosity() const {
    return quiet ? Verbosity::Quiet : verbose ? Verbosity::Verbose : Verbosity::Normal;
  }
  void apply() const {
    if (threads) set_threads(*threads);
  }
};

// TESSERA_THREADS is read by the library, so that it counts for every command and in no config.
inline void add_threads(CLI::App& command, std::optional<int>& threads) {
  command
      .add_option("--threads", threads,
                  "CPU threads (default: TESSERA_THREADS, else the physical cores)")
      ->check(CLI::Range(1, kMaxThreads));
}

inline void add_verbosity(CLI::App& command, Common& common) {
  auto* verbose = command.add_flag("--verbose", common.verbose, "Say more");
  command.add_flag("--quiet", common.quiet, "Say only warnings and errors")->excludes(verbose);
}

inline void add_device(CLI::App& command, Common& common) {
  command.add_option("--device", common.device, "auto, cpu, cuda or cuda:<i>")
      ->capture_default_str();
  add_threads(command, common.threads);
  add_verbosity(command, common);
}

}  // namespace tessera::tools
