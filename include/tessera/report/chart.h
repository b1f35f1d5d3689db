#pragma once

// Charts: each is described once and drawn on any Canvas.

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "tessera/report/canvas.h"

namespace tessera {

/// The part of a canvas that a chart may use, title, axes and legend included.
struct ChartBox {
  double x = 0, y = 0, width = 640, height = 360;
};

/// Numbers at which an axis from `low` to `high` is marked: multiples of 1, 2 or 5 times a power of
/// ten, about `wanted` of them, none outside.
std::vector<double> nice_ticks(double low, double high, int wanted = 5);
/// The numbers as texts with as many decimals as their distance needs.
std::vector<std::string> tick_labels(const std::vector<double>& ticks);
/// The same for a logarithmic axis, 0 < low < high: 1, 2 and 5 times powers of ten, of a wide range
/// the powers alone.
std::vector<double> logarithmic_ticks(double low, double high, int wanted = 5);

/// Colour number i of a set that people with colour-blindness can tell apart (Okabe and Ito 2008).
std::string chart_color(size_t i);

/// What a vertical axis shows; without limits the data decide.
struct ChartAxis {
  std::string label;
  std::optional<double> low, high;  ///< values beyond are drawn at the edge
  bool logarithmic = false;         ///< of values above 0: others are drawn at the edge
};

struct LineSeries {
  std::string name;
  std::vector<double> x, y;       ///< a value that is not finite leaves a gap
  std::vector<double> low, high;  ///< a band about the line, or empty
  size_t color = 0;
  bool dashed = false;
};

struct LineChart {
  std::string title, x_label;
  ChartAxis y;
  std::vector<LineSeries> series;
  std::vector<std::string> x_names;  ///< names of x = 0, 1, ...; empty: x are numbers
  bool has_whole_x = false;          ///< x are whole numbers, as epochs are
  bool has_lines = true;             ///< joins the values; not where x are names in no order
  bool has_points = false;           ///< marks the values, and the band as error bars
  std::optional<double> rule;        ///< a dashed horizontal line
  std::optional<double> x_rule = {};  ///< a dashed vertical line
  bool has_legend = true;
};
void draw_chart(Canvas& canvas, const ChartBox& box, const LineChart& chart);

struct Bar {
  std::string name;
  double value = 0;
  double error = std::numeric_limits<double>::quiet_NaN();  ///< half the length of its error bar
  std::vector<double> points;  ///< single values, drawn beside each other
  size_t color = 0;
};

/// Bars from zero; or, where zero is far from the values, a mark at each value.
struct BarChart {
  std::string title;
  ChartAxis y;
  std::vector<Bar> bars;
  bool from_zero = true;
  std::optional<double> rule;
};
void draw_chart(Canvas& canvas, const ChartBox& box, const BarChart& chart);

/// A picture drawn once for each file form.
struct ChartPage {
  double width = 1120, height = 720;
  std::function<void(Canvas&)> draw;
};
std::string svg_of(const ChartPage& page);
/// Writes <path>.png and <path>.svg. Throws Error (Data).
void write_page(const std::string& path, const ChartPage& page);

}  // namespace tessera
