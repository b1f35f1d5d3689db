#include "report/matrix_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/chart_frame.h"

namespace tessera {
namespace {

constexpr double kWidestName = 210, kNameSize = 11, kGap = 8, kNameSpace = 30, kScaleHeight = 62,
                 kScaleWidth = 240;
constexpr double kSmallCell = 7;  // below it cells of one colour are drawn as one
constexpr const char* kNoValue = "#d0d0d0";

struct Color {
  double red, green, blue;
};

Color mixed(const Color& a, const Color& b, double part) {
  const auto mix = [part](double from, double to) { return from + part * (to - from); };
  return {mix(a.red, b.red), mix(a.green, b.green), mix(a.blue, b.blue)};
}

/// White to dark blue, darker is more; below zero white to dark red. Steps of a 64th: neighbours of
/// nearly one value are one shape.
Color color_of(const MatrixChart& chart, double value) {
  constexpr Color kUp[] = {{255, 255, 255}, {158, 202, 225}, {49, 130, 189}, {8, 48, 107}};
  constexpr Color kDown[] = {{255, 255, 255}, {252, 187, 161}, {222, 70, 50}, {103, 0, 13}};
  const bool below = value < 0 && chart.low < 0;
  const double least = chart.low < 0 ? 0 : chart.low, end = below ? chart.low : chart.high;
  const double share = std::round(std::clamp((value - least) / (end - least), 0.0, 1.0) * 64) / 64;
  const int stop = std::min(2, static_cast<int>(share * 3));
  const Color* stops = below ? kDown : kUp;
  return mixed(stops[stop], stops[stop + 1], share * 3 - stop);
}

std::string text_of(const Color& c) {
  return fmt::format("#{:02x}{:02x}{:02x}", std::lround(c.red), std::lround(c.green),
                     std::lround(c.blue));
}

bool is_dark(const Color& c) { return 0.3 * c.red + 0.6 * c.green + 0.1 * c.blue < 140; }

double width_at(const std::string& text, double size) { return text_width(text) * size / 12; }

/// Where things stand.
struct Layout {
  int64_t rows = 0, columns = 0;
  double left = 0, top = 0, cell_width = 0, cell_height = 0;
  bool slanted = false;

  double x(int64_t column) const { return left + cell_width * double(column); }
  double y(int64_t row) const { return top + cell_height * double(row); }
};

Layout layout_of(const MatrixChart& chart) {
  Layout layout;
  double longest_row = 0, longest_column = 0;
  for (const MatrixSpan& span : chart.rows) {
    layout.rows += span.size;
    longest_row = std::max(longest_row, std::min(width_at(span.name, kNameSize), kWidestName));
  }
  for (const MatrixSpan& span : chart.columns) {
    layout.columns += span.size;
    longest_column =
        std::max(longest_column, std::min(width_at(span.name, kNameSize), kWidestName));
  }
  layout.left = longest_row + kNameSpace;
  // A slanted name of the last column reaches beyond it.
  const double room = kPageWidth - layout.left - 0.71 * longest_column - kGap;
  layout.cell_width =
      std::min(chart.widest_cell, room / double(std::max<int64_t>(layout.columns, 1)));
  layout.cell_height = chart.cell_height > 0 ? chart.cell_height : layout.cell_width;
  for (const MatrixSpan& span : chart.columns)
    layout.slanted |= width_at(span.name, kNameSize) + 4 > layout.cell_width * double(span.size);
  layout.top = layout.slanted ? 0.71 * longest_column + 18 : 24;
  return layout;
}

void draw_names(Canvas& canvas, const MatrixChart& chart, const Layout& layout) {
  const auto name = [&](CanvasPoint at, const std::string& text, const CanvasText& style) {
    canvas.text(at, fitted_text(text, kWidestName, kNameSize), style);
    if (width_at(text, kNameSize) > kWidestName) canvas.tooltip(text);
  };
  double next = 0;  // names closer than a line are left out
  int64_t first = 0;
  for (const MatrixSpan& span : chart.rows) {
    const double at = (layout.y(first) + layout.y(first + span.size)) / 2;
    first += span.size;
    if (at < next) continue;
    next = at + kNameSize;
    name({layout.left - kGap, at + 4}, span.name, {.size = kNameSize, .anchor = CanvasAnchor::End});
  }
  next = first = 0;
  for (const MatrixSpan& span : chart.columns) {
    const double at = (layout.x(first) + layout.x(first + span.size)) / 2;
    first += span.size;
    if (at < next) continue;
    next = at + kNameSize;
    if (layout.slanted)
      name({at + 3, layout.top - 5}, span.name, {.size = kNameSize, .rotation = -45});
    else
      name({at, layout.top - 7}, span.name, {.size = kNameSize, .anchor = CanvasAnchor::Middle});
  }
}

void draw_row(Canvas& canvas, const MatrixChart& chart, const Layout& layout, int64_t row) {
  const bool joined = layout.cell_width < kSmallCell && chart.texts.empty();
  const auto fill = [&](int64_t column) {
    const double value = chart.values[size_t(row * layout.columns + column)];
    return std::isfinite(value) ? text_of(color_of(chart, value)) : std::string(kNoValue);
  };
  for (int64_t column = 0; column < layout.columns;) {
    const std::string color = fill(column);
    int64_t end = column + 1;
    while (joined && end < layout.columns && fill(end) == color) ++end;
    if (color != "#ffffff" || !joined)
      canvas.rect({layout.x(column), layout.y(row)}, layout.cell_width * double(end - column),
                  layout.cell_height, color);
    if (!chart.texts.empty()) {
      const auto cell = size_t(row * layout.columns + column);
      const std::string& text = chart.texts[cell];
      canvas.tooltip(text);
      const double value = chart.values[cell];
      const bool white = std::isfinite(value) && is_dark(color_of(chart, value));
      if (width_at(text, kNameSize) + 2 < layout.cell_width && layout.cell_height > kNameSize)
        canvas.text(
            {layout.x(column) + layout.cell_width / 2, layout.y(row) + layout.cell_height / 2 + 4},
            text,
            {.size = kNameSize,
             .anchor = CanvasAnchor::Middle,
             .color = white ? "#ffffff" : "#222222"});
    }
    column = end;
  }
}

void draw_borders(Canvas& canvas, const MatrixChart& chart, const Layout& layout) {
  const CanvasStroke thin = {.color = "#9a9a9a", .width = 0.6};
  const double right = layout.x(layout.columns), bottom = layout.y(layout.rows);
  int64_t at = 0;
  for (const MatrixSpan& span : chart.rows) {
    canvas.line({layout.left, layout.y(at)}, {right, layout.y(at)}, thin);
    at += span.size;
  }
  at = 0;
  for (const MatrixSpan& span : chart.columns) {
    canvas.line({layout.x(at), layout.top}, {layout.x(at), bottom}, thin);
    at += span.size;
  }
  canvas.rect({layout.left, layout.top}, right - layout.left, bottom - layout.top, "none",
              {.color = "#444444"});
}

void draw_scale(Canvas& canvas, const MatrixChart& chart, double x, double y) {
  constexpr int kSteps = 48;
  constexpr double kStep = kScaleWidth / kSteps;
  const double range = chart.high - chart.low;
  for (int i = 0; i < kSteps; ++i)
    canvas.rect({x + kStep * i, y}, kStep + 0.3, 12,
                text_of(color_of(chart, chart.low + range * (i + 0.5) / kSteps)));
  canvas.rect({x, y}, kScaleWidth, 12, "none", {.color = "#444444", .width = 0.6});
  const std::vector<double> ticks = nice_ticks(chart.low, chart.high, 4);
  const std::vector<std::string> labels = tick_labels(ticks);
  for (size_t i = 0; i < ticks.size(); ++i) {
    const double at = x + kScaleWidth * (ticks[i] - chart.low) / range;
    canvas.line({at, y + 12}, {at, y + 16}, {.color = "#444444"});
    canvas.text({at, y + 28}, labels[i], {.size = kNameSize, .anchor = CanvasAnchor::Middle});
  }
  canvas.text({x + kScaleWidth + 16, y + 10}, chart.scale, {.size = kNameSize});
  if (std::any_of(chart.values.begin(), chart.values.end(),
                  [](double v) { return !std::isfinite(v); })) {
    canvas.rect({x + kScaleWidth + 16, y + 18}, 12, 12, kNoValue);
    canvas.text({x + kScaleWidth + 33, y + 28}, "no value", {.size = kNameSize});
  }
}

}  // namespace

std::string fitted_text(const std::string& text, double width, double size) {
  if (width_at(text, size) <= width) return text;
  auto length = static_cast<size_t>(std::max(1.0, width / width_at("m", size) - 1));
  // A character of several bytes goes as a whole.
  while (length > 0 && (static_cast<unsigned char>(text[length]) & 0xc0) == 0x80) --length;
  return text.substr(0, length) + "\u2026";
}

ChartPage matrix_page(const MatrixChart& chart) {
  const Layout layout = layout_of(chart);
  const double bottom = layout.y(layout.rows);
  return {kPageWidth, bottom + kScaleHeight, [=](Canvas& canvas) {
            for (int64_t row = 0; row < layout.rows; ++row) draw_row(canvas, chart, layout, row);
            draw_borders(canvas, chart, layout);
            draw_names(canvas, chart, layout);
            draw_scale(canvas, chart, layout.left, bottom + 16);
          }};
}

}  // namespace tessera
