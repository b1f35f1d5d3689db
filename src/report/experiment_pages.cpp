#include "report/experiment_pages.h"

#include <fmt/format.h>

#include <algorithm>

namespace tessera {
namespace {

using Pick = double (*)(const LabLogEntry&);
using PickSummary = const SeedStatistics& (*)(const MethodSummary&);

struct Metric {
  const char *title, *label;
  PickSummary pick;
};
constexpr Metric kMetrics[] = {
    {"Reconstruction error", "mean |x - xhat|^2 per row",
     [](const MethodSummary& m) -> const SeedStatistics& { return m.recon_mse; }},
    {"Distance to the code", "mean |z - q|^2 per row",
     [](const MethodSummary& m) -> const SeedStatistics& { return m.in_sub_dist; }},
    {"Entropy of code use", "nats, at most ln K",
     [](const MethodSummary& m) -> const SeedStatistics& { return m.usage_entropy; }},
    {"Codes that no row chose", "share of codes",
     [](const MethodSummary& m) -> const SeedStatistics& { return m.dead_frac; }},
    {"Change of reconstruction error, seed by seed", "percent of the baseline's",
     [](const MethodSummary& m) -> const SeedStatistics& { return m.paired; }},
};
constexpr size_t kDead = 3, kPaired = 4;
/// The least that an axis of dead codes shows: where there are none, none should look like many.
constexpr double kFewDead = 0.05;
/// An experiment of more points has several things in a row, which no line should join.
constexpr size_t kMostOrdered = 8;

std::string title_of(const std::string& method) { return std::string(lab_method(method).title); }

BarChart bars_of(const PointSummary& point, size_t metric) {
  BarChart chart{.title = kMetrics[metric].title,
                 .y = {.label = kMetrics[metric].label, .low = {}, .high = {}},
                 .bars = {},
                 .from_zero = metric == kDead,
                 .rule = {}};
  if (metric == kPaired) chart.rule = 0;
  if (metric == kDead) chart.y.high = kFewDead;
  for (size_t m = metric == kPaired ? 1 : 0; m < point.point.methods.size(); ++m) {
    const std::string& name = point.point.methods[m];
    const SeedStatistics& s = kMetrics[metric].pick(point.methods.at(name));
    chart.bars.push_back({.name = title_of(name),
                          .value = s.mean,
                          .error = s.se,
                          .points = s.values.size() > 1 ? s.values : std::vector<double>{},
                          .color = m});
    if (metric == kDead && s.mean > kFewDead) chart.y.high = {};
  }
  return chart;
}

std::string seeds_text(size_t seeds) {
  return seeds > 1 ? fmt::format("{} seeds: mean, standard error, each seed a dot", seeds)
                   : std::string("one seed");
}

/// Curves of `pick` over steps, the mean of seeds with a band of one standard deviation.
LineSeries curve_of(const LabOutcome& outcome, const std::string& method, Pick pick) {
  LineSeries series{.name = title_of(method), .x = {}, .y = {}, .low = {}, .high = {}};
  std::vector<std::vector<double>> values;
  for (const LabRun& run : outcome.runs) {
    const std::vector<LabLogEntry>& log = run.results.at(method).log;
    if (values.size() < log.size()) values.resize(log.size());
    if (series.x.size() < log.size()) {
      series.x.clear();
      for (const LabLogEntry& entry : log) series.x.push_back(double(entry.step));
    }
    for (size_t i = 0; i < log.size(); ++i) values[i].push_back(pick(log[i]));
  }
  for (std::vector<double>& at_step : values) {
    const SeedStatistics s = seed_statistics(std::move(at_step));
    series.y.push_back(s.mean);
    series.low.push_back(s.mean - s.sd);
    series.high.push_back(s.mean + s.sd);
  }
  return series;
}

struct Curve {
  const char *title, *label;
  Pick pick;
};
constexpr Curve kCurves[] = {
    {"Loss of the batch", "sum of its terms",
     [](const LabLogEntry& e) { return e.losses.rec + e.losses.codebook + e.losses.commit; }},
    {"Codebook loss", "weighted", [](const LabLogEntry& e) { return e.losses.codebook; }},
    {"Commitment loss", "weighted", [](const LabLogEntry& e) { return e.losses.commit; }},
    {"Reconstruction error", "eval rows", [](const LabLogEntry& e) { return e.metrics.recon_mse; }},
    {"Entropy of code use", "nats, eval rows",
     [](const LabLogEntry& e) { return e.metrics.usage_entropy; }},
    {"Codes that no row chose", "share of codes",
     [](const LabLogEntry& e) { return e.metrics.dead_frac; }},
};

LineChart empty_chart(const std::string& title, const std::string& x, const std::string& y) {
  LineChart chart;
  chart.title = title;
  chart.x_label = x;
  chart.y.label = y;
  return chart;
}

LineChart curves_chart(const std::vector<LineSeries>& curves, double baseline) {
  LineChart chart = empty_chart("Reconstruction error while training",
                                "step (dashed: the baseline)", "mean |x - xhat|^2 per row");
  chart.series = curves;
  chart.rule = baseline;
  return chart;
}

NamedPage comparison_page(const LabOutcome& outcome) {
  const PointSummary point = outcome.points.front();
  std::vector<LineSeries> curves;
  for (size_t m = 0; m < point.point.methods.size(); ++m)
    if (lab_method(point.point.methods[m]).has_steps) {
      curves.push_back(curve_of(outcome, point.point.methods[m],
                                [](const LabLogEntry& e) { return e.metrics.recon_mse; }));
      curves.back().low.clear();  // bands of several methods hide each other
      curves.back().high.clear();
      curves.back().color = m;
      curves.back().dashed = point.point.methods[m] == "projection";  // on top of the STE's line
    }
  const double baseline = point.methods.at(point.point.methods.front()).recon_mse.mean;
  const size_t seeds = point.methods.begin()->second.recon_mse.values.size();
  const std::string title = fmt::format("{} ({})", outcome.experiment.title, seeds_text(seeds));
  return {"comparison", title,
          chart_panels(2, 3, 1160, 1080, title, [=](Canvas& canvas, const ChartBox& box, int i) {
            if (i < 5)
              draw_chart(canvas, box, bars_of(point, static_cast<size_t>(i)));
            else if (!curves.empty())
              draw_chart(canvas, box, curves_chart(curves, baseline));
          })};
}

NamedPage method_page(const LabOutcome& outcome, const std::string& method) {
  const std::string stem = method_stem(method);
  const std::string title = fmt::format("{}: {}", title_of(method), outcome.experiment.title);
  const bool several = outcome.runs.size() > 1;
  return {stem == method ? stem : stem + "_ste", title,
          chart_panels(3, 2, 1260, 720, title, [=](Canvas& canvas, const ChartBox& box, int i) {
            LineChart chart = empty_chart(
                kCurves[i].title, several ? "step (band: standard deviation of seeds)" : "step",
                kCurves[i].label);
            chart.series = {curve_of(outcome, method, kCurves[i].pick)};
            chart.has_legend = false;
            chart.series[0].color = 1;
            const std::vector<double>& shares = chart.series[0].y;
            if (i == 5 &&
                std::none_of(shares.begin(), shares.end(), [](double y) { return y > kFewDead; })) {
              chart.y.low = 0;
              chart.y.high = kFewDead;
            }
            draw_chart(canvas, box, chart);
          })};
}

LineChart sweep_chart(const LabOutcome& outcome, size_t metric, double limit) {
  LineChart chart =
      empty_chart(kMetrics[metric].title, outcome.experiment.axis, kMetrics[metric].label);
  chart.has_lines = outcome.points.size() <= kMostOrdered;
  chart.has_points = true;
  if (metric == kPaired) chart.rule = 0;
  if (metric == kDead) {
    chart.y.low = 0;
    chart.y.high = kFewDead;
  }
  for (const PointSummary& point : outcome.points) chart.x_names.push_back(point.point.name);
  const std::vector<std::string>& methods = outcome.points.front().point.methods;
  for (size_t m = 0; m < methods.size(); ++m) {
    if (metric == kPaired && m == 0) continue;
    LineSeries series{
        .name = title_of(methods[m]), .x = {}, .y = {}, .low = {}, .high = {}, .color = m};
    for (size_t i = 0; i < outcome.points.size(); ++i) {
      const SeedStatistics& s = kMetrics[metric].pick(outcome.points[i].methods.at(methods[m]));
      series.x.push_back(double(i));
      series.y.push_back(s.mean);
      series.low.push_back(s.mean - s.se);
      series.high.push_back(s.mean + s.se);
      if (metric == kDead && s.mean > kFewDead) chart.y.high = {};
      if (metric == kPaired && s.mean > limit) {
        chart.y.high = limit;
        chart.title =
            fmt::format("{} (beyond {:.0f} % at the edge)", kMetrics[metric].title, limit);
      }
    }
    chart.series.push_back(std::move(series));
  }
  return chart;
}

NamedPage sweep_page(const LabOutcome& outcome) {
  constexpr double kPercentLimit = 10;  // beyond it methods fail, and how far does not matter
  const size_t seeds = outcome.points.front().methods.begin()->second.recon_mse.values.size();
  const std::string title = fmt::format("{} ({} seed{}, standard errors)", outcome.experiment.title,
                                        seeds, seeds == 1 ? "" : "s");
  const bool wide = outcome.points.size() > kMostOrdered;
  const auto draw = [=](Canvas& canvas, const ChartBox& box, int i) {
    constexpr size_t kWide[] = {4, 2}, kSmall[] = {0, 4, 2, 3};
    draw_chart(canvas, box, sweep_chart(outcome, wide ? kWide[i] : kSmall[i], kPercentLimit));
  };
  return {outcome.experiment.name, title,
          wide ? chart_panels(1, 2, 1260, 980, title, draw)
               : chart_panels(2, 2, 1160, 800, title, draw)};
}

}  // namespace

ChartPage chart_panels(int columns, int rows, double width, double height, const std::string& title,
                       std::function<void(Canvas&, const ChartBox&, int)> draw) {
  constexpr double kTitle = 40;
  return {width, height, [=](Canvas& canvas) {
            canvas.text({20, 27}, title, {.size = 16, .bold = true});
            for (int i = 0; i < columns * rows; ++i)
              draw(canvas,
                   {.x = width / columns * (i % columns),
                    .y = kTitle + (height - kTitle) / rows * (i / columns),
                    .width = width / columns,
                    .height = (height - kTitle) / rows},
                   i);
          }};
}

std::string method_stem(std::string_view method) {
  return std::string(method.starts_with("ste_") ? method.substr(4) : method);
}

std::vector<NamedPage> lab_pages(const LabOutcome& outcome) {
  if (outcome.points.size() > 1) return {sweep_page(outcome)};
  std::vector<NamedPage> pages = {comparison_page(outcome)};
  for (const std::string& name : outcome.points.front().point.methods)
    if (lab_method(name).has_steps) pages.push_back(method_page(outcome, name));
  return pages;
}

}  // namespace tessera
