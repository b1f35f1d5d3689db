// What a run wrote after each epoch, as curves.

#include <algorithm>
#include <cmath>
#include <limits>

#include "report/matrix_chart.h"
#include "report/tokenizer_charts.h"

namespace tessera {
namespace {

constexpr double kPanelHeight = 215, kPanelColumns = 3;
/// A range wider than this is shown in powers of ten.
constexpr double kWideRange = 30;
constexpr size_t kTrainColor = 1, kValidationColor = 2;
constexpr std::string_view kTrain = "train_", kValidation = "validation_";

struct KnownSeries {
  const char *name, *title, *unit;
};
constexpr KnownSeries kKnown[] = {
    {"utilization", "Utilization", "share of codes used"},
    {"perplexity", "Perplexity", "codes, if used evenly"},
    {"dead_codes", "Codes that no row chose", "codes"},
    {"code_resets", "Dead codes replaced", "codes"},
    {"learning_rate", "Learning rate", "step of Adam"},
    {"rows_per_second", "Speed", "rows per second"},
    {"seconds", "Time of an epoch", "seconds"},
    {"temperature", "Temperature of the assignment", "divides its logits"},
    {"assignment_entropy", "Entropy of the assignment", "1: even, 0: decided"},
};

bool is_of_assignment(std::string_view name) {
  for (const std::string_view prefix : {kTrain, kValidation})
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  return name.starts_with("temperature") || name.starts_with("assign");
}

/// The epochs that measured the number: those that did not are passed over by the line.
LineSeries line_of(const RunCurves& curves, const RunSeries& series, const char* name,
                   size_t color) {
  LineSeries line{.name = name, .x = {}, .y = {}, .low = {}, .high = {}, .color = color};
  for (size_t i = 0; i < curves.epochs.size(); ++i) {
    if (!std::isfinite(series.values[i])) continue;
    line.x.push_back(curves.epochs[i]);
    line.y.push_back(series.values[i]);
  }
  return line;
}

LineChart chart_of(const RunCurves& curves, const std::string& title, const std::string& unit,
                   const RunSeries* train, const RunSeries* validation) {
  LineChart chart{.title = title,
                  .x_label = "epoch",
                  .y = {.label = unit, .low = {}, .high = {}},
                  .series = {},
                  .x_names = {},
                  .has_whole_x = true,
                  .rule = {}};
  if (train != nullptr) chart.series.push_back(line_of(curves, *train, "training", kTrainColor));
  if (validation != nullptr)
    chart.series.push_back(line_of(curves, *validation, "validation", kValidationColor));
  std::erase_if(chart.series, [](const LineSeries& line) { return line.y.empty(); });
  double least = std::numeric_limits<double>::infinity(), most = 0;
  for (const LineSeries& line : chart.series) {
    chart.has_points |= line.y.size() == 1;  // a line of one point shows nothing
    for (const double value : line.y) {
      least = std::min(least, value);
      most = std::max(most, value);
    }
  }
  chart.y.logarithmic = least > 0 && most > kWideRange * least;
  return chart;
}

/// "codebook orthogonality" of "codebook_orthogonality".
std::string words_of(std::string name) {
  std::replace(name.begin(), name.end(), '_', ' ');
  if (!name.empty()) name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(name[0])));
  return name;
}

bool is_measured(const RunSeries& series) {
  return std::any_of(series.values.begin(), series.values.end(),
                     [](double value) { return std::isfinite(value); });
}

LineChart panel_of(const RunCurves& curves, const RunSeries& series) {
  if (series.name.starts_with(kTrain)) {
    const std::string part = series.name.substr(kTrain.size());
    return chart_of(curves, words_of(part), "unweighted", &series,
                    curves.find(std::string(kValidation) + part));
  }
  if (series.name.starts_with(kValidation))
    return chart_of(curves, words_of(series.name.substr(kValidation.size())), "unweighted", nullptr,
                    &series);
  for (const KnownSeries& known : kKnown)
    if (series.name == known.name)
      return chart_of(curves, known.title, known.unit, &series, nullptr);
  return chart_of(curves, words_of(series.name), "as logged", &series, nullptr);
}

/// Losses first, as they are in the file, then the rest.
std::vector<LineChart> panels_of(const RunCurves& curves, bool of_assignment) {
  std::vector<LineChart> losses, others;
  for (const RunSeries& series : curves.series) {
    const std::string& name = series.name;
    const bool is_loss = name.starts_with(kTrain) || name.starts_with(kValidation);
    const bool has_panel =
        name.starts_with(kValidation) &&
        curves.find(std::string(kTrain) + name.substr(kValidation.size())) != nullptr;
    if (name == "step" || name.ends_with("_total") || has_panel || !is_measured(series) ||
        is_of_assignment(name) != of_assignment)
      continue;
    (is_loss ? losses : others).push_back(panel_of(curves, series));
    if (is_loss) continue;
    LineChart& chart = others.back();
    chart.has_legend = false;
    // How much of a thing there is reads best from nothing; losses differ by little at the end.
    const bool has_negative = std::any_of(series.values.begin(), series.values.end(),
                                          [](double value) { return value < 0; });
    const bool has_any = std::any_of(series.values.begin(), series.values.end(),
                                     [](double value) { return value > 0; });
    if (!chart.y.logarithmic && !has_negative) chart.y.low = 0;
    if (!has_any && !has_negative) chart.y.high = 1;
  }
  losses.insert(losses.end(), others.begin(), others.end());
  return losses;
}

}  // namespace

ChartPage total_curves_page(const RunCurves& curves, std::optional<double> checkpoint_epoch) {
  constexpr double kHeight = 340;
  LineChart chart = chart_of(curves, "", "weighted sum of the losses", curves.find("train_total"),
                             curves.find("validation_total"));
  chart.x_rule = checkpoint_epoch;
  return {kPageWidth, kHeight, [=](Canvas& canvas) {
            draw_chart(canvas, {0, 0, kPageWidth, kHeight}, chart);
          }};
}

ChartPage curve_panels_page(const RunCurves& curves, bool of_assignment) {
  const std::vector<LineChart> panels = panels_of(curves, of_assignment);
  const double width = kPageWidth / kPanelColumns;
  const double rows = std::ceil(double(panels.size()) / kPanelColumns);
  return {kPageWidth, rows * kPanelHeight, [=](Canvas& canvas) {
            for (size_t i = 0; i < panels.size(); ++i) {
              const double row = std::floor(double(i) / kPanelColumns);
              draw_chart(canvas,
                         {width * (double(i) - kPanelColumns * row), kPanelHeight * row, width,
                          kPanelHeight - 8},
                         panels[i]);
            }
          }};
}

}  // namespace tessera
