// From a run folder to its report.

#include "tessera/report/report_run.h"

#include <fmt/format.h>

#include <filesystem>

#include "tessera/evaluate.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

struct MeasuredRows {
  std::string file, which;  ///< which of its rows
  Dataset set;
  Buffer<int32_t> subset;
  bool trained = false;  ///< the model was trained on these
};

MeasuredRows held_out_rows(const TrainedModel& trained, Device device) {
  const Config& config = trained.config;
  const std::string file = data_file(trained_data(trained), Split::Train);
  HostRows rows = load_rows(file, config.data.format, config.data.max_samples);
  const TrainValidation split = split_rows(rows.rows, config.data.validation_fraction,
                                           static_cast<uint64_t>(config.training.seed));
  const bool trained_on = split.validation.empty();
  Buffer<int32_t> subset;
  if (!trained_on) subset = Buffer<int32_t>::from_host(split.validation, device);
  const std::string which = trained_on
                                ? fmt::format("all {} rows", rows.rows)
                                : fmt::format("{} rows of {} that were held out for validation",
                                              split.validation.size(), rows.rows);
  return {file, which, Dataset(std::move(rows), trained.normalizer, device), subset, trained_on};
}

MeasuredRows named_rows(const TrainedModel& trained, const std::string& data, Device device) {
  const std::string file = data_file(data, Split::Test);
  HostRows rows = load_rows(file);
  const std::string which = fmt::format("all {} rows", rows.rows);
  return {file, which, Dataset(std::move(rows), trained.normalizer, device), {}, false};
}

std::vector<CategoryLayout> layout_of(const Tokenizer& model) {
  if (const auto* by_category = dynamic_cast<const CategoricalTokenizer*>(&model))
    return category_layout(by_category->options());
  return one_category(model.features());
}

void add_run(TokenizerReport& report, const TrainedModel& trained) {
  const fs::path metrics = fs::path(trained.path).parent_path() / "metrics.jsonl";
  std::error_code error;
  if (fs::exists(metrics, error)) report.curves = read_run_curves(metrics.string());
  report.checkpoint_epoch = static_cast<double>(trained.epoch);
  report.settings = to_yaml(trained.config);
}

void add_facts(TokenizerReport& report, TrainedModel& trained, const MeasuredRows& rows,
               size_t categories) {
  const Quantizer& quantizer = trained.model->quantizer();
  const auto codebooks = static_cast<size_t>(quantizer.table().size());
  report.about = {
      {"checkpoint", trained.path,
       fmt::format("step {}, epoch {}, contents {:08x}", trained.step, trained.epoch, trained.crc)},
      {"model", trained.config.model.kind,
       fmt::format("{} features, {} categories x {} levels = {} tokens per row, {} codes",
                   trained.model->features(), categories, codebooks / categories, codebooks,
                   quantizer.total_codes())},
      {"measured rows", rows.file, rows.which},
      {"normalization", trained.normalizer.kind, ""}};
  if (rows.trained)
    report.remarks.push_back(
        "The model was trained on the measured rows: this run held none out. Name others with "
        "--data.");
}

}  // namespace

TokenizerReport report_of_run(const std::string& checkpoint, const std::string& data, Device device,
                              Console& console) {
  TrainedModel trained = load_model(checkpoint, device);
  const MeasuredRows rows =
      data.empty() ? held_out_rows(trained, device) : named_rows(trained, data, device);
  require(rows.set.cols() == trained.model->features(), ErrorKind::Data, rows.file, ": ",
          rows.set.cols(), " features a row, the model was trained on ", trained.model->features());
  TokenizerReport report{.title = "Tokenizer " + trained.path};
  const std::vector<CategoryLayout> layout = layout_of(*trained.model);
  add_run(report, trained);
  add_facts(report, trained, rows, layout.size());
  console.live("Measuring " + rows.which, 0);
  add_measurements(report, *trained.model, layout, trained.normalizer, rows.set, rows.subset);
  console.clear_live();
  return report;
}

}  // namespace tessera
