#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tessera/checkpoint.h"
#include "tessera/console.h"
#include "tessera/methods.h"

namespace tessera::tools {

constexpr int kInterrupted = 130;  ///< exit code after SIGINT, as shells have it

struct TrainArguments {
  std::string config;
  std::vector<std::string> overrides;  ///< key.path=value
  std::optional<int64_t> epochs, seed, threads;
  std::string device, output, input, resume;
  bool dry_run = false, overwrite = false, learnable = false;
};
struct EvalArguments {
  std::string checkpoint, data, reference, grid;
  bool json = false;
};
struct ReportArguments {
  std::string checkpoint, data, output;
};
struct DiscoverArguments {
  std::string config, input, output, device;
  std::vector<std::string> overrides;  ///< key.path=value
  std::optional<int64_t> seed, threads;
};
struct GenerateArguments {
  std::string output;
  int64_t train = 12000, test = 2000;
  uint64_t seed = 0;
};
struct SimulateArguments {
  std::string output, contact_sheet;
  std::optional<int64_t> samples;
  int64_t frames = 256, steps_per_frame = 32;
  uint64_t seed = 0;
  bool variable_lengths = false, planted = false, even = false;
};
struct ExperimentArguments {
  LabSettings settings;              ///< of `compare`; the others have fixed ones but seed and start
  std::vector<std::string> methods;  ///< empty: all
  int64_t seeds = 1;
  std::string outdir;
  bool fresh = false;
};
struct RecoveryArguments {
  std::vector<std::string> cases;  ///< empty: all
  uint64_t seed = 0;
  int64_t seeds = 5, samples = 4000, epochs = 0;
  std::string outdir = "learnable_recovery";
  bool fresh = false;
};
struct TokenArguments {
  std::string checkpoint, input, output;
  int64_t batch_size = 1024;
  bool soft = false;  ///< of encode: learned categories as shares, at the temperature training had
};

// One file each; the exit code is returned, errors are thrown.
int run_train(const TrainArguments& arguments, Verbosity verbosity);
int run_eval_features(TrainedModel& model, const EvalArguments& arguments, Console& console);
int run_eval(const EvalArguments& arguments, const std::string& device, Verbosity verbosity);
int run_report(const ReportArguments& arguments, const std::string& device, Verbosity verbosity);
int run_encode(const TokenArguments& arguments, const std::string& device, Verbosity verbosity);
int run_decode(const TokenArguments& arguments, const std::string& device, Verbosity verbosity);
int run_inspect(const std::string& checkpoint);
int run_devices();
int run_simulate(const SimulateArguments& arguments, Verbosity verbosity);
/// `name`: compare, another experiment of the lab, all, or accept.
int run_experiment(const std::string& name, const ExperimentArguments& arguments,
                   const std::string& device, Verbosity verbosity);
int run_recovery_experiment(const RecoveryArguments& arguments, const std::string& device,
                            Verbosity verbosity);
int run_discover(const DiscoverArguments& arguments, Verbosity verbosity);
int run_generate_images(const GenerateArguments& arguments, Verbosity verbosity);

}  // namespace tessera::tools
