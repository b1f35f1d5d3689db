// From a run folder to its report.

#include "tessera/report/report_run.h"

#include <fmt/format.h>

#include <filesystem>

#include "tessera/evaluation_rows.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

std::vector<CategoryLayout> layout_of(const TrainedModel& trained) {
  return trained.features.empty() ? one_category(trained.model->features())
                                  : category_layout(trained.features);
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

void add_facts(TokenizerReport& report, TrainedModel& trained, const EvaluationRows& rows,
               size_t categories) {
  const Quantizer& quantizer = trained.model->quantizer();
  const auto codebooks = static_cast<size_t>(quantizer.table().size());
  report.about = {
      {"checkpoint", trained.path,
       fmt::format("step {}, epoch {}, contents {:08x}", trained.step, trained.epoch, trained.crc)},
      {"model", trained.config.model.kind,
       fmt::format("{} features, {} codes; categories x levels = tokens per row: {} x {} = {}",
                   trained.model->features(), quantizer.total_codes(), categories,
                   codebooks / categories, codebooks)},
      {"measured rows", rows.which + " " + rows.path, ""},
      {"normalization", trained.normalizer.kind, ""}};
  if (rows.trained_on)
    report.remarks.push_back(
        "The model was trained on the measured rows: this run held none out. Name others with "
        "--data.");
  else if (!rows.measured.empty() && fs::path(trained.path).filename() == "best.safetensors")
    report.remarks.push_back(
        "This checkpoint was kept because its error on these rows was the lowest of the run. Data "
        "that chose nothing are measured with --data.");
}

/// The features by the categories they were learned into, their shares, and which have moved.
void add_learned(TokenizerReport& report, TrainedModel& trained) {
  LearnedAssignment* learned = trained.model->learned();
  if (learned == nullptr) return;
  const std::vector<int32_t> now = learned->hard();
  for (ReportCategory& category : report.categories) category.features.clear();
  for (size_t i = 0; i < now.size(); ++i)
    report.categories[static_cast<size_t>(now[i])].features.push_back(static_cast<int64_t>(i));
  report.changes.emplace();
  for (const LearnedCategory& one : learned_categories(trained.features, *learned)) {
    report.assignment.insert(report.assignment.end(), one.shares.begin(), one.shares.end());
    if (one.before != one.now) report.changes->push_back({one.feature, one.before, one.now});
  }
}

}  // namespace

TokenizerReport report_of_run(const std::string& checkpoint, const std::string& data, Device device,
                              Console& console) {
  TrainedModel trained = load_model(checkpoint, device);
  const EvaluationRows rows = evaluation_rows(trained, data);
  TokenizerReport report{.title = "Tokenizer " + trained.path};
  const std::vector<CategoryLayout> layout = layout_of(trained);
  add_run(report, trained);
  add_facts(report, trained, rows, layout.size());
  add_features(report, trained.features);
  console.live("Measuring " + rows.which + " " + rows.path, 0);
  add_measurements(report, *trained.model, layout, trained.normalizer, rows.set, rows.measured);
  console.clear_live();
  add_learned(report, trained);
  return report;
}

}  // namespace tessera
