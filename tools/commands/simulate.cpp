#include "tessera/simulate.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "commands/commands.h"
#include "tessera/error.h"
#include "tessera/files/file_writer.h"
#include "training/interrupt.h"

namespace tessera::tools {
namespace {

constexpr double kPlainSeconds = 10;  // between lines of progress where there is no terminal

/// "[=====>    ] 1200 of 10000 samples, 1m 10s left"
std::string progress_text(int64_t done, int64_t total, double seconds) {
  constexpr int kWidth = 30;
  const double share = static_cast<double>(done) / static_cast<double>(total);
  const int full = static_cast<int>(share * kWidth);
  std::string bar(static_cast<size_t>(full), '=');
  if (full < kWidth) bar += '>';
  const std::string left =
      done > 0 ? ", " + duration_text(seconds / share - seconds) + " left" : "";
  return fmt::format("[{:<{}}] {} of {} samples{}", bar, kWidth, done, total, left);
}

/// The truth beside the data: inside a folder, <stem>.truth.json next to a file.
std::string truth_path(const std::string& output) {
  const std::filesystem::path path(output);
  if (std::filesystem::is_directory(path)) return (path / "truth.json").string();
  return (path.parent_path() / (path.stem().string() + ".truth.json")).string();
}

std::string truth_text(const PlantedData& data) {
  nlohmann::ordered_json truth;
  const std::vector<std::string>& names = data.layout.families[0].features;
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string category =
        data.block[i] < 0 ? "nuisance" : "block_" + std::to_string(data.block[i]);
    truth["feature_names"].push_back("planted/" + names[i]);
    truth["block"].push_back(data.block[i]);
    truth["cosine"].push_back(static_cast<bool>(data.cosine[i]));
    truth["categories"][category].push_back(i);
  }
  return truth.dump(1) + "\n";
}

void run_planted(const SimulateArguments& arguments, Console& console) {
  const PlantedOptions options = {arguments.samples.value_or(PlantedOptions().samples),
                                  arguments.seed, arguments.even};
  const PlantedData data = planted_data(options);
  const auto writer = create_features(
      arguments.output, data.layout,
      fmt::format(R"({{"generator": "planted", "samples": {}, "seed": {}, "even": {}}})",
                  options.samples, options.seed, options.even));
  writer->append(data.values);
  writer->commit();
  const std::string truth = truth_path(arguments.output);
  write_file(truth, truth_text(data));
  console.line(fmt::format("Wrote {} samples of {} features in 8 categories to {}, the truth to {}",
                           options.samples, data.layout.families[0].cols(), arguments.output,
                           truth));
}

/// False where it was interrupted; nothing is left behind then.
bool run_simulation(const SimulateArguments& arguments, Console& console) {
  SimulateOptions options;
  options.samples = arguments.samples.value_or(options.samples);
  options.seed = arguments.seed;
  options.frames = arguments.frames;
  options.steps_per_frame = arguments.steps_per_frame;
  options.variable_lengths = arguments.variable_lengths;
  const InterruptGuard interrupt;
  const double start = now_seconds();
  const bool whole = simulate(options, arguments.output, [&](int64_t done, int64_t total) {
    console.live(progress_text(done, total, now_seconds() - start), kPlainSeconds);
    return !interrupt.requested();
  });
  if (!whole) {
    console.warning("interrupted; nothing was written");
    return false;
  }
  console.line(fmt::format("Simulated {} samples of {} frames into {} in {}", options.samples,
                           options.frames, arguments.output, duration_text(now_seconds() - start)));
  return true;
}

}  // namespace

int run_simulate(const SimulateArguments& arguments, Verbosity verbosity) {
  require(!arguments.output.empty() || !arguments.contact_sheet.empty(), ErrorKind::Usage,
          "simulate: nothing to write; give --output, --contact-sheet, or both");
  Console console(verbosity);
  if (!arguments.contact_sheet.empty()) {
    write_contact_sheet(arguments.contact_sheet, arguments.seed);
    console.line(fmt::format("Wrote {} patterns to {}", gray_scott_regimes().size(),
                             arguments.contact_sheet));
  }
  if (arguments.output.empty()) return 0;
  if (arguments.planted) {
    run_planted(arguments, console);
    return 0;
  }
  return run_simulation(arguments, console) ? 0 : kInterrupted;
}

}  // namespace tessera::tools
