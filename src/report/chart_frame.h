#pragma once

#include "tessera/report/chart.h"

namespace tessera {

/// The inner rectangle of a chart and its scales.
class ChartFrame {
 public:
  struct Range {
    double low = 0, high = 1;
    bool logarithmic = false;
  };
  /// The range of `values` that are finite (and above 0 where it is logarithmic), wider by a
  /// twentieth at each end; limits of the axis win.
  static Range range_of(const std::vector<double>& values, const ChartAxis& axis);

  ChartFrame(Canvas& canvas, const ChartBox& outer, double bottom_margin, Range x, Range y);

  double x(double value) const;
  /// Values beyond the axis are put on its edge.
  double y(double value) const;
  const ChartBox& inner() const { return inner_; }

  void draw_title(const std::string& title);
  void draw_y_axis(const ChartAxis& axis);
  /// `whole`: at whole numbers alone.
  void draw_x_numbers(bool whole = false);
  void draw_x_label(const std::string& label, double legend_height);
  void draw_rule(double value);
  void draw_x_rule(double value);
  void draw_error_bar(double at, double low, double high, const std::string& color);

 private:
  Canvas& canvas_;
  ChartBox outer_, inner_;
  Range x_, y_;
};

inline constexpr double kChartTextSize = 12;
/// The width of a text as both canvases have it, about.
inline double text_width(const std::string& text) { return 6.2 * static_cast<double>(text.size()); }

}  // namespace tessera
