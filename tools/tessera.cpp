// The program: subcommands and their flags. What they do lies in commands/.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <new>
#include <optional>
#include <system_error>

#include "commands/commands.h"
#include "options/common.h"
#include "options/simulate.h"
#include "options/experiment.h"
#include "options/discover.h"
#include "options/report.h"
#include "tessera/device.h"
#include "tessera/error.h"
#include "tessera/metric_definitions.h"

namespace {

using namespace tessera;
using namespace tessera::tools;

constexpr int64_t kMaxEpochs = 1000000000;  // as training.num_epochs

void add_checkpoint(CLI::App& command, std::string& checkpoint) {
  command.add_option("--checkpoint", checkpoint, "A .safetensors checkpoint, or a run folder")
      ->required();
}

void add_train(CLI::App& app, TrainArguments& a, Common& common, int& exit_code) {
  CLI::App& command =
      *app.add_subcommand("train", "Train a model from a config")->alias("train-vqvae");
  command.add_option("--config", a.config, "YAML config")->required();
  command.add_option("--epochs", a.epochs, "Shorthand for training.num_epochs")
      ->check(CLI::Range(int64_t{1}, kMaxEpochs));
  command.add_option("--seed", a.seed, "Shorthand for training.seed")
      ->check(CLI::NonNegativeNumber);
  command.add_option("--device", a.device, "auto, cpu, cuda or cuda:<i>");
  add_threads(command, common.threads);
  command.add_option("--output", a.output, "Run folder (training.checkpoint_dir)");
  command.add_option("--input", a.input, "Data to train on (data.path)");
  auto* resume = command.add_option(
      "--resume,--resume-from", a.resume,
      "auto: go on from the newest whole checkpoint of the run folder; or a file");
  command.add_flag("--overwrite", a.overwrite, "Start anew in a folder that holds a run")
      ->excludes(resume);
  command.add_flag("--learnable", a.learnable,
                   "Learn the categories (training.category_assignment=learnable)");
  command.add_flag("--dry-run", a.dry_run, "Print the resolved config and what a step needs");
  command.add_flag("--no-torch-compile")->description("Accepted and without effect");
  add_verbosity(command, common);
  command.add_option("overrides", a.overrides, "key.path=value, as in model.embedding_dim=32");
  command.callback([&] {
    a.threads = common.threads;
    exit_code = run_train(a, common.verbosity());
  });
}

void add_eval(CLI::App& app, EvalArguments& a, Common& common, int& exit_code) {
  CLI::App& command = *app.add_subcommand("eval", "Measure a checkpoint on data");
  add_checkpoint(command, a.checkpoint);
  command.add_option("--data", a.data, "Data (default: the test part of what it was trained on)");
  command.add_option("--reference", a.reference,
                     "Data that the k-means reference is fitted to (default: the training data); "
                     "none: no reference");
  command.add_option("--grid", a.grid, "Write a PNG of originals above reconstructions");
  command.add_flag("--json", a.json, "Print JSON");
  add_device(command, common);
  command.callback([&] {
    common.apply();
    exit_code = run_eval(a, common.device, common.verbosity());
  });
}

void add_tokens(CLI::App& app, TokenArguments& a, Common& common, int& exit_code) {
  CLI::App& encode = *app.add_subcommand("encode", "Turn rows into tokens");
  encode.add_option("--input", a.input, "Rows: .npy, .npz, IDX, HDF5 or a folder of families")->required();
  encode.add_option("--output", a.output, "tokens.npy")->required();
  encode.add_flag("--soft-assignment", a.soft,
                  "Learned categories as shares at training's temperature, not each feature's likeliest");
  encode.callback([&] {
    common.apply();
    exit_code = run_encode(a, common.device, common.verbosity());
  });
  CLI::App& decode = *app.add_subcommand("decode", "Turn tokens into rows");
  decode.add_option("--tokens", a.input, "tokens.npy")->required();
  decode.add_option("--output", a.output, "x.npy, float32")->required();
  decode.callback([&] {
    common.apply();
    exit_code = run_decode(a, common.device, common.verbosity());
  });
  for (CLI::App* command : {&encode, &decode}) {
    add_checkpoint(*command, a.checkpoint);
    command->add_option("--batch-size", a.batch_size, "Rows at a time; results do not depend on it")
        ->capture_default_str()
        ->check(CLI::Range(int64_t{1}, int64_t{1} << 24));
    add_device(*command, common);
  }
}

void add_generate(CLI::App& app, GenerateArguments& a, Common& common, int& exit_code) {
  CLI::App& command = *app.add_subcommand(
      "generate-images", "Write an IDX data set of drawn shapes, to try things on");
  const CLI::Range images(int64_t{1}, int64_t{1} << 30);
  command.add_option("--output", a.output, "Folder for the two files")->required();
  command.add_option("--train", a.train, "Training images")->capture_default_str()->check(images);
  command.add_option("--test", a.test, "Test images")->capture_default_str()->check(images);
  command.add_option("--seed", a.seed, "Other images for another number")->capture_default_str();
  add_verbosity(command, common);
  command.callback([&] { exit_code = run_generate_images(a, common.verbosity()); });
}

/// Commands that only look.
void add_views(CLI::App& app, std::string& checkpoint, Common& common, int& exit_code) {
  CLI::App& inspect = *app.add_subcommand("inspect", "Print what a checkpoint holds");
  add_checkpoint(inspect, checkpoint);
  add_threads(inspect, common.threads);
  inspect.callback([&] {
    common.apply();
    exit_code = run_inspect(checkpoint);
  });
  CLI::App& devices = *app.add_subcommand("devices", "List devices this machine can use");
  add_threads(devices, common.threads);
  devices.callback([&] {
    common.apply();
    exit_code = run_devices();
  });
}

int run(int argc, char** argv) {
  CLI::App app("tessera turns vectors into discrete tokens: it trains and runs VQ-VAE tokenizers.",
               "tessera");
  app.set_version_flag("--version", std::string("tessera ") + TESSERA_VERSION);
  app.require_subcommand(1);
  int exit_code = 0;
  Common common;
  TrainArguments train;
  EvalArguments eval;
  TokenArguments tokens;
  GenerateArguments generate;
  SimulateArguments simulate;
  ExperimentOptions experiments;
  DiscoverArguments discover;
  ReportArguments report;
  std::string inspected;
  add_train(app, train, common, exit_code);
  add_eval(app, eval, common, exit_code);
  add_tokens(app, tokens, common, exit_code);
  add_views(app, inspected, common, exit_code);
  add_generate(app, generate, common, exit_code);
  add_simulate(app, simulate, common, exit_code);
  add_experiment(app, experiments, common, exit_code);
  add_discover(app, discover, common, exit_code);
  CLI::App& metrics = *app.add_subcommand("metrics", "Say what every number that is printed means");
  metrics.callback([] { std::fputs(metric_definitions_text().c_str(), stdout); });
  add_report(app, report, common, exit_code);
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; }))
    command->set_version_flag("--version", std::string("tessera ") + TESSERA_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    return static_cast<int>(ErrorKind::Usage);
  }
  return exit_code;
}

}  // namespace

namespace {
/// `tessera --help metrics` is `tessera metrics`.
bool asks_for_metrics(int argc, char** argv) {
  return argc == 3 && std::string_view(argv[2]) == "metrics" &&
         (std::string_view(argv[1]) == "--help" || std::string_view(argv[1]) == "help");
}

int unwritten_output() {
  std::fputs("tessera: standard output: could not be written to the end; is the disk full?\n", stderr);
  return static_cast<int>(tessera::ErrorKind::Data);
}
}  // namespace

int main(int argc, char** argv) {
  try {
    if (asks_for_metrics(argc, argv)) {
      std::fputs(tessera::metric_definitions_text().c_str(), stdout);
      return 0;
    }
    const int exit_code = run(argc, argv);
    return std::fflush(stdout) == 0 && std::ferror(stdout) == 0 ? exit_code : unwritten_output();
  } catch (const tessera::Error& error) {
    std::fprintf(stderr, "tessera: %s\n", error.what());
    return static_cast<int>(error.kind());
  } catch (const std::system_error& error) {  // of a print in the middle
    if (std::ferror(stdout) != 0) return unwritten_output();
    std::fprintf(stderr, "tessera: internal error: %s\n", error.what());
    return static_cast<int>(tessera::ErrorKind::Internal);
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr,
                 "tessera: the machine has no memory left for this; use a smaller "
                 "training.batch_size or data.max_samples\n");
    return static_cast<int>(tessera::ErrorKind::Memory);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tessera: internal error: %s\n", error.what());
    return static_cast<int>(tessera::ErrorKind::Internal);
  }
}
