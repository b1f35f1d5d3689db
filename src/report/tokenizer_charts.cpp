// What was measured of categories, codebooks and pairs of rows. Features: feature_charts.cpp.

#include "report/tokenizer_charts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "report/chart_frame.h"
#include "report/matrix_chart.h"
#include "tessera/metrics.h"

namespace tessera {
namespace {

constexpr double kNotMeasured = std::numeric_limits<double>::quiet_NaN();
constexpr double kBarHeight = 15, kBarLine = 22, kWidestName = 230;
constexpr size_t kBarColor = 1;
constexpr size_t kLevelColors[] = {2, 3, 4, 5, 6, 7};

size_t level_color(size_t level) { return kLevelColors[level % std::size(kLevelColors)]; }

size_t most_levels(const std::vector<ReportCategory>& categories) {
  size_t most = 0;
  for (const ReportCategory& category : categories) most = std::max(most, category.levels.size());
  return most;
}

std::vector<std::string> level_names(size_t levels) {
  std::vector<std::string> names;
  for (size_t l = 0; l < levels; ++l) names.push_back(fmt::format("level {}", l));
  return names;
}

double longest_name(const std::vector<ReportCategory>& categories) {
  double longest = 0;
  for (const ReportCategory& category : categories)
    longest = std::max(longest, std::min(text_width(category.name), kWidestName));
  return longest;
}

void draw_name(Canvas& canvas, CanvasPoint end, const std::string& name, double width) {
  canvas.text(end, fitted_text(name, width), {.anchor = CanvasAnchor::End});
  if (text_width(name) > width) canvas.tooltip(name);
}

/// Level names with a dot each, from x on.
void draw_levels_legend(Canvas& canvas, double x, double y, size_t levels) {
  for (size_t l = 0; l < levels; ++l) {
    canvas.circle({x + 90 * double(l), y - 4}, 4, chart_color(level_color(l)));
    canvas.text({x + 90 * double(l) + 9, y}, fmt::format("level {}", l));
  }
}

struct ErrorScale {
  double x = 0, width = 0, most = 0;
  double at(double error) const { return x + width * error / most; }
};

void draw_error_axis(Canvas& canvas, const ErrorScale& scale, double top, double bottom) {
  const std::vector<double> ticks = nice_ticks(0, scale.most, 6);
  const std::vector<std::string> labels = tick_labels(ticks);
  for (size_t i = 0; i < ticks.size(); ++i) {
    canvas.line({scale.at(ticks[i]), top}, {scale.at(ticks[i]), bottom}, {.color = "#e4e4e4"});
    canvas.text({scale.at(ticks[i]), bottom + 16}, labels[i], {.anchor = CanvasAnchor::Middle});
  }
  canvas.line({scale.x, top}, {scale.x, bottom}, {.color = "#444444"});
  canvas.text({scale.x + scale.width / 2, bottom + 34},
              "mean over rows and columns of (x - reconstruction)^2, normalised units",
              {.anchor = CanvasAnchor::Middle});
}

void draw_errors(Canvas& canvas, const ErrorScale& scale, const ReportCategory& category,
                 double y) {
  const double middle = y + kBarLine / 2;
  draw_name(canvas, {scale.x - 8, middle + 4}, category.name, kWidestName);
  if (category.error) {
    canvas.rect({scale.x, middle - kBarHeight / 2}, scale.at(*category.error) - scale.x, kBarHeight,
                chart_color(kBarColor));
    canvas.tooltip(fmt::format("{}: {:.6g}", category.name, *category.error));
    canvas.text({kPageWidth - 8, middle + 4}, fmt::format("{:.4g}", *category.error),
                {.anchor = CanvasAnchor::End});
  }
  for (size_t l = 0; l < category.levels.size(); ++l) {
    if (!category.levels[l].error) continue;
    const double at = scale.at(*category.levels[l].error);
    canvas.circle({at, middle}, 5, "#ffffff");
    canvas.circle({at, middle}, 4, chart_color(level_color(l)));
    canvas.tooltip(
        fmt::format("{}, level {} alone: {:.6g}", category.name, l, *category.levels[l].error));
  }
}

/// One codebook: the share of rows that each code got, most used first, over the share of even use.
void draw_codes(Canvas& canvas, const ChartBox& box, const ReportLevel& level,
                const std::string& name) {
  std::vector<int64_t> counts = level.counts;
  std::sort(counts.rbegin(), counts.rend());
  const CodeUse use = code_use(counts);
  const double rows = double(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  const double base = box.y + box.height - 4, height = box.height - 24;
  const double slot = box.width / double(std::max<size_t>(counts.size(), 1));
  const std::string facts =
      fmt::format("{}/{} used, perplexity {:.3g}", use.used, use.total, use.perplexity);
  canvas.text({box.x, box.y + 12}, fitted_text(facts, box.width, 11), {.size = 11});
  canvas.rect({box.x, base - height}, box.width, height, "#f4f4f4");
  canvas.tooltip(fmt::format("{}: {}", name, facts));
  canvas.line({box.x, base}, {box.x + box.width, base}, {.color = "#444444"});
  if (rows == 0) return;
  std::vector<CanvasPoint> outline = {{box.x, base}};
  for (size_t i = 0; i < counts.size() && counts[i] > 0; ++i) {
    const double top = base - height * double(counts[i]) / double(counts[0]);
    outline.push_back({box.x + slot * double(i), top});
    outline.push_back({box.x + slot * double(i + 1), top});
  }
  outline.push_back({outline.back().x, base});
  canvas.polygon(outline, chart_color(kBarColor), 1);
  const double even = base - height * rows / double(counts.size()) / double(counts[0]);
  canvas.line({box.x, even}, {box.x + box.width, even}, {.color = "#d55e00", .dashes = "4 3"});
  canvas.text({box.x + box.width - 4, base - height + 12},
              fmt::format("{:.3g} %", 100 * double(counts[0]) / rows),
              {.size = 11, .anchor = CanvasAnchor::End});
}

struct PairPanel {
  const char *x_label, *y_label;
  const std::vector<double> ReportDistances::*x, ReportDistances::*y;
  double ReportDistances::*correlation;
};
constexpr PairPanel kPairPanels[] = {
    {"distance of inputs", "distance of latents", &ReportDistances::inputs,
     &ReportDistances::latents, &ReportDistances::pre},
    {"distance of latents", "distance of codes", &ReportDistances::latents, &ReportDistances::codes,
     &ReportDistances::post},
    {"distance of inputs", "distance of codes", &ReportDistances::inputs, &ReportDistances::codes,
     &ReportDistances::end_to_end},
};

}  // namespace

bool has_counts(const std::vector<ReportCategory>& categories) {
  return std::any_of(categories.begin(), categories.end(), [](const ReportCategory& category) {
    return std::any_of(category.levels.begin(), category.levels.end(),
                       [](const ReportLevel& level) { return !level.counts.empty(); });
  });
}

bool has_errors(const std::vector<ReportCategory>& categories) {
  return std::any_of(categories.begin(), categories.end(), [](const ReportCategory& category) {
    return category.error ||
           std::any_of(category.levels.begin(), category.levels.end(),
                       [](const ReportLevel& level) { return level.error.has_value(); });
  });
}

ChartPage reconstruction_page(const std::vector<ReportCategory>& categories) {
  constexpr double kTop = 26, kBottom = 44;
  ErrorScale scale{.x = longest_name(categories) + 30, .width = 0, .most = 0};
  scale.width = kPageWidth - scale.x - 80;
  bool has_parts = false;
  for (const ReportCategory& category : categories) {
    scale.most = std::max(scale.most, category.error.value_or(0));
    for (const ReportLevel& level : category.levels) {
      scale.most = std::max(scale.most, level.error.value_or(0));
      has_parts |= level.error.has_value();
    }
  }
  if (!(scale.most > 0)) scale.most = 1;
  const double bottom = kTop + kBarLine * double(categories.size());
  return {kPageWidth, bottom + kBottom, [=](Canvas& canvas) {
            draw_error_axis(canvas, scale, kTop, bottom);
            for (size_t i = 0; i < categories.size(); ++i)
              draw_errors(canvas, scale, categories[i], kTop + kBarLine * double(i));
            canvas.rect({scale.x, 5}, 14, 12, chart_color(kBarColor));
            canvas.text({scale.x + 20, 15}, "all codebooks together");
            canvas.text({kPageWidth - 8, 15}, "together", {.anchor = CanvasAnchor::End});
            if (!has_parts) return;
            canvas.text({scale.x + 200, 15}, "one codebook alone:");
            draw_levels_legend(canvas, scale.x + 335, 15, most_levels(categories));
          }};
}

ChartPage utilization_page(const std::vector<ReportCategory>& categories) {
  MatrixChart chart{.rows = {},
                    .columns = {},
                    .values = {},
                    .scale = "share of the codes that at least one row chose",
                    .cell_height = 22,
                    .widest_cell = 170};
  const size_t levels = most_levels(categories);
  for (const std::string& name : level_names(levels)) chart.columns.push_back({name});
  for (const ReportCategory& category : categories) {
    chart.rows.push_back({category.name});
    for (size_t l = 0; l < levels; ++l) {
      const bool measured = l < category.levels.size() && !category.levels[l].counts.empty();
      if (measured) {
        const CodeUse use = code_use(category.levels[l].counts);
        chart.values.push_back(use.utilization);
        chart.texts.push_back(
            fmt::format("{}/{} = {:.0f} %", use.used, use.total, 100 * use.utilization));
      } else {
        chart.values.push_back(kNotMeasured);
        chart.texts.push_back("");
      }
    }
  }
  return matrix_page(chart);
}

ChartPage code_use_page(const std::vector<ReportCategory>& categories, size_t first, size_t last) {
  const std::vector<ReportCategory> shown(categories.begin() + int64_t(first),
                                          categories.begin() + int64_t(last));
  const size_t levels = std::max<size_t>(most_levels(categories), 1);
  const bool alone = categories.size() == 1;
  const double left = longest_name(categories) + 30, line = alone ? 200 : 76;
  const double width = (kPageWidth - left - 8) / double(levels);
  constexpr double kTop = 20;
  return {kPageWidth, kTop + line * double(shown.size()) + 6, [=](Canvas& canvas) {
            for (size_t l = 0; l < levels; ++l)
              canvas.text({left + width * double(l), 12}, fmt::format("level {}", l),
                          {.size = 12, .bold = true});
            for (size_t i = 0; i < shown.size(); ++i) {
              const double y = kTop + line * double(i);
              draw_name(canvas, {left - 10, y + line / 2 + 4}, shown[i].name, kWidestName);
              for (size_t l = 0; l < shown[i].levels.size(); ++l)
                if (!shown[i].levels[l].counts.empty())
                  draw_codes(canvas, {left + width * double(l), y, width - 12, line},
                             shown[i].levels[l], fmt::format("{}, level {}", shown[i].name, l));
            }
          }};
}

ChartPage distances_page(const ReportDistances& distances) {
  const double width = kPageWidth / double(std::size(kPairPanels)), height = 320;
  return {kPageWidth, height, [=](Canvas& canvas) {
            for (size_t i = 0; i < std::size(kPairPanels); ++i) {
              const PairPanel& panel = kPairPanels[i];
              const std::vector<double>&x = distances.*panel.x, &y = distances.*panel.y;
              const ChartAxis axis{.label = panel.y_label, .low = 0, .high = {}};
              ChartFrame frame(canvas, {width * double(i), 0, width, height}, 44,
                               ChartFrame::range_of(x, axis), ChartFrame::range_of(y, axis));
              frame.draw_title(fmt::format("r = {:.4f}", distances.*panel.correlation));
              frame.draw_y_axis(axis);
              frame.draw_x_numbers();
              frame.draw_x_label(panel.x_label, 0);
              for (size_t k = 0; k < x.size(); ++k)
                canvas.circle({frame.x(x[k]), frame.y(y[k])}, 1.3, "#3182bd");
            }
          }};
}

ChartPage similarity_page(const ReportMatrix& matrix,
                          const std::vector<ReportCategory>& categories) {
  MatrixChart chart{.rows = {},
                    .columns = {},
                    .values = matrix.values.values,
                    .low = matrix.low,
                    .high = matrix.high,
                    .scale = matrix.title,
                    .widest_cell = 40};
  for (const ReportCategory& category : categories)
    chart.rows.push_back({category.name, static_cast<int64_t>(category.levels.size())});
  chart.columns = chart.rows;
  if (matrix.values.size <= 30)
    for (const double value : matrix.values.values) {
      const double rounded = std::round(value * 100) / 100 + 0.0;  // no -0.00
      chart.texts.push_back(std::isfinite(value) ? fmt::format("{:.2f}", rounded) : "");
    }
  return matrix_page(chart);
}

}  // namespace tessera
