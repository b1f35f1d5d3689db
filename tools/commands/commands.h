#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tessera/console.h"

namespace tessera::tools {

struct TrainArguments {
  std::string config;
  std::vector<std::string> overrides;  ///< key.path=value
  std::optional<int64_t> epochs, seed, threads;
  std::string device, output, input, resume;
  bool dry_run = false, overwrite = false;
};
struct EvalArguments {
  std::string checkpoint, data, reference, grid;
  bool json = false;
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
struct TokenArguments {
  std::string checkpoint, input, output;
  int64_t batch_size = 1024;
};

// One file each; the exit code is returned, errors are thrown.
int run_train(const TrainArguments& arguments, Verbosity verbosity);
int run_eval(const EvalArguments& arguments, const std::string& device, Verbosity verbosity);
int run_encode(const TokenArguments& arguments, const std::string& device, Verbosity verbosity);
int run_decode(const TokenArguments& arguments, const std::string& device, Verbosity verbosity);
int run_inspect(const std::string& checkpoint);
int run_devices();
int run_discover(const DiscoverArguments& arguments, Verbosity verbosity);
int run_generate_images(const GenerateArguments& arguments, Verbosity verbosity);

}  // namespace tessera::tools
