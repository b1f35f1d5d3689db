// Measures kernels and training steps, on the CPU and on the GPUs there are (areas that end in _cuda):
//   tessera_bench [--filter TEXT] [--threads N] [--seconds S] [--clock wall|thread]
//                 [--target AVX3|AVX2|SCALAR] [--json FILE]

#include <fmt/format.h>

#include <cstdlib>
#include <string_view>

#include "bench/bench.h"
#include "tessera/device.h"
#include "tessera/error.h"

namespace tessera::bench {

std::vector<Case> adam_cases();
std::vector<Case> conv_cases();
std::vector<Case> dense_step_cases();
std::vector<Case> encoder_step_cases();
std::vector<Case> gray_scott_cases();
std::vector<Case> discovery_cases();
std::vector<Case> matmul_cases();
std::vector<Case> methods_cases();
std::vector<Case> tokenizer_step_cases();
std::vector<Case> vq_assign_cases();

namespace {

constexpr Area kAreas[] = {
    {"adam", adam_cases},
    {"conv", conv_cases},
    {"dense_step", dense_step_cases},
    {"encoder_step", encoder_step_cases},
    {"gray_scott", gray_scott_cases},
    {"discovery", discovery_cases},
    {"matmul", matmul_cases},
    {"methods", methods_cases},
    {"tokenizer_step", tokenizer_step_cases},
    {"vq_assign", vq_assign_cases},
};

double number(std::string_view flag, const char* text) {
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  require(end != text && *end == 0 && value > 0, ErrorKind::Usage, flag, " ", text,
          ": is not a positive number");
  return value;
}

Options parse(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view flag = argv[i];
    require(flag == "--filter" || flag == "--json" || flag == "--threads" || flag == "--seconds" ||
                flag == "--clock" || flag == "--target",
            ErrorKind::Usage, flag,
            ": is not an option; use --filter TEXT, --threads N, --seconds S, --clock wall|thread, "
            "--target AVX3|AVX2|SCALAR, --json FILE");
    require(i + 1 < argc, ErrorKind::Usage, flag, ": has no value; give one after it");
    const char* value = argv[i + 1];
    if (flag == "--filter") options.filter = value;
    if (flag == "--json") options.json = value;
    if (flag == "--threads") options.threads = static_cast<int>(number(flag, value));
    if (flag == "--seconds") options.seconds = number(flag, value);
    if (flag == "--clock") options.clock = value;
    if (flag == "--target") options.target = value;
  }
  require(options.clock == "wall" || (options.clock == "thread" && options.threads == 1),
          ErrorKind::Usage, "--clock ", options.clock,
          ": is not wall, nor thread with one thread; choose one of them");
  return options;
}

/// Returns how many cases gave a wrong result.
int run(const Options& options) {
  set_threads(options.threads);
  if (options.clock == "thread") use_thread_clock();
  if (!options.target.empty()) use_target(options.target);
  const Machine machine = measure_machine(options.threads);
  print_header(machine);
  std::vector<Result> results;
  int wrong = 0;
  for (const Area& area : kAreas)
    for (const Case& c : area.cases()) {
      if (c.name.find(options.filter) == std::string::npos) continue;
      results.push_back(measure(c, options));
      print(results.back(), machine);
      if (!options.json.empty()) write_json(options.json, results, machine);  // what there is, if it is stopped
      wrong += results.back().error.empty() ? 0 : 1;
    }
  require(!results.empty(), ErrorKind::Usage, "--filter ", options.filter,
          ": no case has that in its name");
  return wrong;
}

}  // namespace
}  // namespace tessera::bench

int main(int argc, char** argv) {
  using namespace tessera;
  try {
    return bench::run(bench::parse(argc, argv)) == 0 ? 0 : static_cast<int>(ErrorKind::Internal);
  } catch (const Error& error) {
    fmt::print(stderr, "tessera_bench: {}\n", error.what());
    return static_cast<int>(error.kind());
  }
}
