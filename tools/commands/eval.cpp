#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "commands/commands.h"
#include "tessera/device.h"
#include "tessera/evaluate.h"
#include "tessera/evaluation_rows.h"

namespace tessera::tools {
namespace {
namespace fs = std::filesystem;

void print_text(const TrainedModel& model, const std::string& file, const Evaluation& result,
                const std::optional<KmeansReference>& reference) {
  fmt::print("{}: {} rows of {} features, checkpoint {} (step {}, epoch {})\n", file, result.rows,
             result.features, model.path, model.step, model.epoch);
  fmt::print("  reconstruction error  {:.6f}   mean over rows and features of (x - x_hat)^2, "
             "normalization {}\n", result.reconstruction_error, model.normalizer.kind);
  if (model.normalizer.kind == "unit_range")
    fmt::print("  quality               {:.4f}     1 - reconstruction error\n",
               1 - result.reconstruction_error);
  fmt::print("  commitment            {:.6f}   mean over rows and latent columns of (z - q)^2\n",
             result.commitment);
  fmt::print("  codes in use          {}/{} = {:.1f}%   used at least once on these rows\n",
             result.use.used, result.use.total, 100 * result.use.utilization);
  fmt::print("  perplexity            {:.1f}   exp(entropy of code frequencies), at most {}\n",
             result.use.perplexity, result.use.total);
  if (!reference) return;
  fmt::print("  k-means reference     {:.6f}   the same error with the nearest of {} k-means centres "
             "(k-means++ seed 0, {} Lloyd iterations, fitted to {} {}training rows{})\n",
             reference->error, reference->codes, reference->iterations, reference->fitted_rows,
             model.normalizer.has_numbers() ? "normalized " : "raw ",
             reference->from_cache ? ", kept from an earlier run" : "");
  if (reference->error > 0)
    fmt::print("  against k-means       {:+.2f}%\n",
               100 * (result.reconstruction_error / reference->error - 1));
}

void print_json(const TrainedModel& model, const std::string& file, const Evaluation& result,
                const std::optional<KmeansReference>& reference) {
  nlohmann::ordered_json json = {{"data", file},
                                 {"checkpoint", model.path},
                                 {"step", model.step},
                                 {"epoch", model.epoch},
                                 {"rows", result.rows},
                                 {"features", result.features},
                                 {"reconstruction_error", result.reconstruction_error},
                                 {"quality", 1 - result.reconstruction_error},
                                 {"commitment", result.commitment},
                                 {"utilization", result.use.utilization},
                                 {"codes_used", result.use.used},
                                 {"codes", result.use.total},
                                 {"perplexity", result.use.perplexity}};
  if (reference)
    json["kmeans_reference"] = {{"error", reference->error},
                                {"fit_error", reference->fit_error},
                                {"codes", reference->codes},
                                {"iterations", reference->iterations},
                                {"fitted_rows", reference->fitted_rows},
                                {"from_cache", reference->from_cache},
                                {"ratio", result.reconstruction_error / reference->error}};
  fmt::print("{}\n", json.dump(1));
}

}  // namespace

int run_eval(const EvalArguments& arguments, const std::string& device_name, Verbosity verbosity) {
  const Device device = parse_device(device_name);
  // Plain progress lines go to standard output, which is for the JSON alone.
  Console console(arguments.json ? Verbosity::Quiet : verbosity);
  TrainedModel model = load_model(arguments.checkpoint, device);
  if (!model.features.empty()) return run_eval_features(model, arguments, console);
  const std::string path = arguments.data.empty() ? trained_path(model) : arguments.data;
  const std::string file = data_file(path, Split::Test);
  // A single file has no test part: then the rows that trained are measured too, and that is said.
  const bool trained_on = arguments.data.empty() && file == data_file(path, Split::Train);
  const Dataset data(load_rows(file, "auto", trained_on ? model.config.data.max_samples : std::nullopt),
                     model.normalizer, device);
  const Evaluation result = evaluate(model, data, console);
  if (trained_on)
    console.warning("these rows include the rows it was trained on; name others with --data");
  if (!arguments.grid.empty()) write_reconstruction_grid(arguments.grid, model, data);
  std::optional<KmeansReference> reference;
  if (arguments.reference != "none") {
    const std::string fit_path = arguments.reference.empty() ? trained_path(model) : arguments.reference;
    const Dataset fit(load_rows(data_file(fit_path, Split::Train), "auto", model.config.data.max_samples),
                      model.normalizer, device);
    const fs::path cache = fs::path(model.path).parent_path() / "kmeans_reference.safetensors";
    const int64_t codes = model.model->quantizer().total_codes();
    if (arguments.reference.empty() && fit.rows() < codes)
      console.warning(fmt::format("no k-means reference: {} rows for {} centres", fit.rows(), codes));
    else
      reference = kmeans_reference(fit, data, codes, cache.string(), console);
  }
  (arguments.json ? print_json : print_text)(model, file, result, reference);
  if (!arguments.grid.empty()) console.line("Originals above reconstructions: " + arguments.grid);
  return 0;
}

}  // namespace tessera::tools
