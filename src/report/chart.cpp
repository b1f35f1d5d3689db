#include "tessera/report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "report/chart_frame.h"
#include "tessera/files/file_writer.h"
#include "tessera/report/raster_canvas.h"
#include "tessera/report/svg_document.h"

namespace tessera {
namespace {

constexpr double kTextLine = 14, kLegendLine = 17;

CanvasStroke line_stroke(const LineSeries& series, double width) {
  return {.color = chart_color(series.color), .width = width, .dashes = series.dashed ? "5 4" : ""};
}

/// The words of a name in lines of at most `width` pixels, as far as words allow.
std::vector<std::string> wrapped(const std::string& name, double width) {
  std::vector<std::string> lines;
  std::istringstream words(name);
  for (std::string word; words >> word;) {
    if (!lines.empty() && text_width(lines.back() + " " + word) <= width)
      lines.back() += " " + word;
    else
      lines.push_back(word);
  }
  return lines;
}

size_t most_lines(const std::vector<std::string>& names, double width) {
  size_t most = 1;
  for (const std::string& name : names) most = std::max(most, wrapped(name, width).size());
  return most;
}

void draw_name(Canvas& canvas, CanvasPoint at, const std::string& name, double width) {
  for (const std::string& line : wrapped(name, width)) {
    canvas.text(at, line, {.size = kChartTextSize, .anchor = CanvasAnchor::Middle});
    at.y += kTextLine;
  }
}

/// Rows of the legend, each a list of series, so that they fit the width.
std::vector<std::vector<const LineSeries*>> legend_rows(const LineChart& chart, double width) {
  std::vector<std::vector<const LineSeries*>> rows(1);
  double used = 0;
  for (const LineSeries& series : chart.series) {
    const double needed = text_width(series.name) + 44;
    if (!rows.back().empty() && used + needed > width) {
      rows.emplace_back();
      used = 0;
    }
    rows.back().push_back(&series);
    used += needed;
  }
  return rows;
}

void draw_legend(Canvas& canvas, double x, double y, double width, const LineChart& chart) {
  for (const auto& row : legend_rows(chart, width)) {
    double at = x;
    for (const LineSeries* series : row) {
      canvas.line({at, y - 4}, {at + 20, y - 4}, line_stroke(*series, 2.5));
      canvas.text({at + 25, y}, series->name, {.size = kChartTextSize});
      at += text_width(series->name) + 44;
    }
    y += kLegendLine;
  }
}

/// The series cut where a value is missing.
std::vector<std::pair<size_t, size_t>> whole_parts(const LineSeries& series) {
  std::vector<std::pair<size_t, size_t>> parts;
  for (size_t i = 0; i < series.y.size(); ++i) {
    if (!std::isfinite(series.y[i])) continue;
    if (parts.empty() || parts.back().second != i) parts.push_back({i, i});
    parts.back().second = i + 1;
  }
  return parts;
}

void draw_band(Canvas& canvas, const ChartFrame& frame, const LineSeries& series) {
  for (const auto& [begin, end] : whole_parts(series)) {
    std::vector<CanvasPoint> outline;
    for (size_t i = begin; i < end; ++i)
      if (std::isfinite(series.high[i]))
        outline.push_back({frame.x(series.x[i]), frame.y(series.high[i])});
    for (size_t i = end; i-- > begin;)
      if (std::isfinite(series.low[i]))
        outline.push_back({frame.x(series.x[i]), frame.y(series.low[i])});
    if (outline.size() > 2) canvas.polygon(outline, chart_color(series.color), 0.16);
  }
}

void draw_series(Canvas& canvas, ChartFrame& frame, const LineChart& chart,
                 const LineSeries& series, double shift) {
  const std::string color = chart_color(series.color);
  for (const auto& [begin, end] : whole_parts(series)) {
    std::vector<CanvasPoint> line;
    for (size_t i = begin; i < end; ++i)
      line.push_back({frame.x(series.x[i]) + shift, frame.y(series.y[i])});
    if (chart.has_lines) canvas.polyline(line, line_stroke(series, chart.has_points ? 1.2 : 2));
    if (!chart.has_points) continue;
    for (size_t i = begin; i < end; ++i) {
      if (i < series.low.size() && std::isfinite(series.low[i]))
        frame.draw_error_bar(line[i - begin].x, series.low[i], series.high[i], color);
      canvas.circle(line[i - begin], 3, color);
      canvas.tooltip(fmt::format("{}: {:.6g}", series.name, series.y[i]));
    }
  }
}

void draw_x_names(Canvas& canvas, const ChartFrame& frame, const std::vector<std::string>& names,
                  bool slanted) {
  const double bottom = frame.inner().y + frame.inner().height;
  const double room = frame.inner().width / double(names.size()) - 6;
  for (size_t i = 0; i < names.size(); ++i) {
    const double at = frame.x(double(i));
    canvas.line({at, bottom}, {at, bottom + 4}, {.color = "#444444"});
    if (slanted)
      canvas.text({at + 4, bottom + 14}, names[i],
                  {.size = kChartTextSize, .anchor = CanvasAnchor::End, .rotation = -45});
    else
      draw_name(canvas, {at, bottom + 17}, names[i], room);
  }
}

ChartFrame::Range x_range(const LineChart& chart) {
  if (!chart.x_names.empty()) return {-0.5, double(chart.x_names.size()) - 0.5};
  ChartFrame::Range range{std::numeric_limits<double>::infinity(),
                          -std::numeric_limits<double>::infinity()};
  for (const LineSeries& series : chart.series)
    for (const double x : series.x) range = {std::min(range.low, x), std::max(range.high, x)};
  if (range.low > range.high) return {0, 1};
  return range.low < range.high ? range : ChartFrame::Range{range.low - 0.5, range.high + 0.5};
}

}  // namespace

void draw_chart(Canvas& canvas, const ChartBox& box, const LineChart& chart) {
  std::vector<double> ys;
  for (const LineSeries& series : chart.series)
    for (const auto* values : {&series.y, &series.low, &series.high})
      ys.insert(ys.end(), values->begin(), values->end());
  if (chart.rule) ys.push_back(*chart.rule);
  double longest_name = 0;
  for (const std::string& name : chart.x_names)
    longest_name = std::max(longest_name, text_width(name));
  const bool slanted = longest_name > box.width / double(chart.x_names.size()) - 10;
  const double legend_height =
      chart.has_legend ? kLegendLine * double(legend_rows(chart, box.width - 90).size()) : 0;
  const double names_height = slanted ? 0.71 * longest_name + 12 : 20;
  ChartFrame frame(canvas, box, names_height + 22 + legend_height, x_range(chart),
                   ChartFrame::range_of(ys, chart.y));
  frame.draw_title(chart.title);
  frame.draw_y_axis(chart.y);
  if (chart.x_names.empty())
    frame.draw_x_numbers(chart.has_whole_x);
  else
    draw_x_names(canvas, frame, chart.x_names, slanted);
  frame.draw_x_label(chart.x_label, legend_height);
  if (chart.rule) frame.draw_rule(*chart.rule);
  if (chart.x_rule) frame.draw_x_rule(*chart.x_rule);
  for (const LineSeries& series : chart.series)
    if (!chart.has_points && !series.low.empty()) draw_band(canvas, frame, series);
  for (size_t i = 0; i < chart.series.size(); ++i) {
    // Error bars of series at one x stand beside each other.
    const double shift =
        chart.has_points ? 8 * (double(i) - double(chart.series.size() - 1) / 2) : 0;
    draw_series(canvas, frame, chart, chart.series[i], shift);
  }
  if (chart.has_legend)
    draw_legend(canvas, frame.inner().x, box.y + box.height - legend_height + 12, box.width - 90,
                chart);
}

void draw_chart(Canvas& canvas, const ChartBox& box, const BarChart& chart) {
  std::vector<double> ys;
  std::vector<std::string> names;
  for (const Bar& bar : chart.bars) {
    names.push_back(bar.name);
    ys.insert(ys.end(), bar.points.begin(), bar.points.end());
    for (const double end : {bar.value, bar.value - bar.error, bar.value + bar.error})
      ys.push_back(end);
  }
  ChartAxis axis = chart.y;
  if (chart.from_zero) {
    ys.push_back(0);
    const bool positive = std::all_of(ys.begin(), ys.end(), [](double y) { return !(y < 0); });
    if (positive && !axis.low) axis.low = 0;
  }
  if (chart.rule) ys.push_back(*chart.rule);
  const double slot = (box.width - 90) / double(std::max<size_t>(chart.bars.size(), 1));
  ChartFrame frame(canvas, box, 14 + kTextLine * double(most_lines(names, slot - 6)),
                   {-0.5, double(chart.bars.size()) - 0.5}, ChartFrame::range_of(ys, axis));
  frame.draw_title(chart.title);
  frame.draw_y_axis(axis);
  if (chart.rule) frame.draw_rule(*chart.rule);
  for (size_t i = 0; i < chart.bars.size(); ++i) {
    const Bar& bar = chart.bars[i];
    const double at = frame.x(double(i)), half = std::min(slot * 0.32, 40.0);
    if (std::isfinite(bar.value)) {
      const double top = frame.y(bar.value), zero = frame.y(0);
      if (chart.from_zero)
        canvas.rect({at - half, std::min(top, zero)}, 2 * half, std::abs(zero - top),
                    chart_color(bar.color), {.color = "none"});
      for (size_t k = 0; k < bar.points.size(); ++k) {  // spread in a fixed pattern
        if (!std::isfinite(bar.points[k])) continue;
        const double spread = std::fmod(double(k) * 0.618034, 1.0) - 0.5;
        canvas.circle({at + spread * half * 1.4, frame.y(bar.points[k])}, 1.8,
                      chart.from_zero ? "#222222" : "#b5b5b5");
      }
      if (!chart.from_zero)
        canvas.line({at - half, top}, {at + half, top},
                    {.color = chart_color(bar.color), .width = 3});
      canvas.tooltip(fmt::format("{}: {:.6g}", bar.name, bar.value));
      if (std::isfinite(bar.error))
        frame.draw_error_bar(at, bar.value - bar.error, bar.value + bar.error, "#111111");
    }
    draw_name(canvas, {at, frame.inner().y + frame.inner().height + 17}, bar.name, slot - 6);
  }
}

std::string svg_of(const ChartPage& page) {
  SvgDocument picture(page.width, page.height);
  picture.rect({0, 0}, page.width, page.height, "#ffffff");
  page.draw(picture);
  return picture.to_string();
}

void write_page(const std::string& path, const ChartPage& page) {
  write_file(path + ".svg", svg_of(page));
  RasterCanvas picture(page.width, page.height);
  page.draw(picture);
  picture.write_png(path + ".png");
}

}  // namespace tessera
