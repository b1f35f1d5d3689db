// From a run folder to its report.

#include "tessera/report/report_run.h"

#include <fmt/format.h>

#include <filesystem>

#include "tessera/load_features.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

struct MeasuredRows {
  std::string file, which;  ///< which of its rows
  Dataset set;
  Buffer<int32_t> subset = {};  ///< empty: all
  bool trained = false;         ///< the model was trained on these
};

/// The data a run was trained on, as seen from here: as configured, or relative to the run folder.
std::string trained_path(const TrainedModel& model) {
  const std::string& path = model.config.data.path;
  std::error_code error;
  if (fs::exists(path, error)) return path;
  const fs::path beside = fs::path(model.path).parent_path() / path;
  require(fs::exists(beside, error), ErrorKind::Data, path,
          ": the data this model was trained on is not here; name data with --data");
  return beside.string();
}

/// Rows of `path` as the model reads them, before normalisation. Features with names are found by
/// these and cleaned as in training, whatever the order of the columns.
HostRows rows_of(const TrainedModel& trained, const std::string& path, const std::string& format,
                 std::optional<int64_t> max_rows, Split split) {
  if (trained.features.empty()) return load_rows(data_file(path, split), format, max_rows);
  FeatureMatrix matrix = model_rows(load_features(path, format, max_rows), trained.features, path);
  return {.bytes = {},
          .values = std::move(matrix.values),
          .rows = matrix.rows,
          .cols = matrix.cols(),
          .row_shape = {matrix.cols()},
          .where = path};
}

MeasuredRows measured(const TrainedModel& trained, HostRows rows, const std::string& which,
                      Device device) {
  const std::string file = rows.where;
  require(rows.cols == trained.model->features(), ErrorKind::Data, file, ": ", rows.cols,
          " features a row, the model was trained on ", trained.model->features());
  return {file, which, Dataset(std::move(rows), trained.normalizer, device)};
}

MeasuredRows held_out_rows(const TrainedModel& trained, Device device) {
  const DataConfig& data = trained.config.data;
  HostRows rows =
      rows_of(trained, trained_path(trained), data.format, data.max_samples, Split::Train);
  const TrainValidation split = split_rows(rows.rows, data.validation_fraction,
                                           static_cast<uint64_t>(trained.config.training.seed));
  const auto held_out = static_cast<int64_t>(split.validation.size());
  const std::string which =
      held_out == 0
          ? fmt::format("all {} rows", rows.rows)
          : fmt::format("{} rows of {} that were held out for validation", held_out, rows.rows);
  MeasuredRows result = measured(trained, std::move(rows), which, device);
  result.trained = held_out == 0;
  if (held_out > 0) result.subset = Buffer<int32_t>::from_host(split.validation, device);
  return result;
}

MeasuredRows named_rows(const TrainedModel& trained, const std::string& data, Device device) {
  HostRows rows = rows_of(trained, data, "auto", {}, Split::Test);
  const std::string which = fmt::format("all {} rows", rows.rows);
  return measured(trained, std::move(rows), which, device);
}

std::vector<CategoryLayout> layout_of(const TrainedModel& trained) {
  if (const auto* model = dynamic_cast<const CategoricalTokenizer*>(trained.model.get()))
    return category_layout(model->options());
  return one_category(trained.model->features());
}

/// Features are named "<family>/<feature>".
void add_features(TokenizerReport& report, const ModelFeatures& features) {
  for (const std::string& name : features.names) {
    const size_t slash = name.find('/');
    const size_t begin = slash == std::string::npos ? 0 : slash + 1;
    report.features.push_back({name.substr(begin), name.substr(0, begin == 0 ? 0 : slash)});
  }
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
  else if (!rows.subset.empty() && fs::path(trained.path).filename() == "best.safetensors")
    report.remarks.push_back(
        "This checkpoint was kept because its error on these rows was the lowest of the run. Data "
        "that chose nothing are measured with --data.");
}

}  // namespace

TokenizerReport report_of_run(const std::string& checkpoint, const std::string& data, Device device,
                              Console& console) {
  TrainedModel trained = load_model(checkpoint, device);
  const MeasuredRows rows =
      data.empty() ? held_out_rows(trained, device) : named_rows(trained, data, device);
  TokenizerReport report{.title = "Tokenizer " + trained.path};
  const std::vector<CategoryLayout> layout = layout_of(trained);
  add_run(report, trained);
  add_facts(report, trained, rows, layout.size());
  add_features(report, trained.features);
  console.live("Measuring " + rows.which, 0);
  add_measurements(report, *trained.model, layout, trained.normalizer, rows.set, rows.subset);
  console.clear_live();
  return report;
}

}  // namespace tessera
