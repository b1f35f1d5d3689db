#include "report/chart_frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace tessera {
namespace {
constexpr double kLeftMargin = 74, kRightMargin = 14, kTopMargin = 30;
constexpr const char *kAxisColor = "#444444", *kGridColor = "#e4e4e4";

/// Where a value of the range lies, from 0 to 1 inside it.
double share_of(const ChartFrame::Range& range, double value) {
  if (range.logarithmic) return std::log(value / range.low) / std::log(range.high / range.low);
  return (value - range.low) / (range.high - range.low);
}
}  // namespace

std::vector<double> nice_ticks(double low, double high, int wanted) {
  if (!(high > low) || !std::isfinite(high - low)) return {low};
  const double rough = (high - low) / std::max(wanted, 1);
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double share = rough / power;
  const double step = power * (share < 1.5 ? 1 : share < 3.5 ? 2 : share < 7.5 ? 5 : 10);
  std::vector<double> ticks;
  const double slack = 1e-9 * (high - low);
  for (double i = std::ceil((low - slack) / step); i * step <= high + slack; ++i)
    ticks.push_back(i == 0 ? 0.0 : i * step);
  return ticks;
}

std::vector<std::string> tick_labels(const std::vector<double>& ticks) {
  std::vector<std::string> labels;
  if (ticks.empty()) return labels;
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : std::abs(ticks[0]);
  const double largest = std::max(std::abs(ticks.front()), std::abs(ticks.back()));
  const bool plain = largest == 0 || (largest < 1e6 && step >= 1e-5);
  const int decimals =
      step > 0 ? std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9))) : 0;
  for (const double tick : ticks)
    labels.push_back(plain ? fmt::format("{:.{}f}", tick, decimals) : fmt::format("{:.3g}", tick));
  return labels;
}

std::vector<double> logarithmic_ticks(double low, double high, int wanted) {
  const double decades = std::log10(high / low);
  const bool powers_alone = 3 * decades > 2 * wanted;
  const int first = static_cast<int>(std::floor(std::log10(low)));
  // As few as wanted, but two: a lone number is no scale.
  for (int stride = std::max(1, static_cast<int>(decades / std::max(wanted, 1) + 0.999)); stride > 0;
       --stride) {
    std::vector<double> ticks;
    for (int power = first; std::pow(10, power) <= high; ++power)
      for (const double factor : {1.0, 2.0, 5.0}) {
        const double tick = factor * std::pow(10, power);
        const bool wanted_here = power % stride == 0 && (factor == 1 || !powers_alone);
        if (wanted_here && tick >= low && tick <= high) ticks.push_back(tick);
      }
    if (ticks.size() > 1) return ticks;
  }
  return nice_ticks(low, high, wanted);
}

std::string chart_color(size_t i) {
  static constexpr const char* kColors[] = {"#555555", "#0072b2", "#d55e00", "#009e73",
                                            "#cc79a7", "#e69f00", "#56b4e9", "#8c6d31"};
  return kColors[i % std::size(kColors)];
}

ChartFrame::Range ChartFrame::range_of(const std::vector<double>& values, const ChartAxis& axis) {
  Range range{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (double value : values) {
    if (!std::isfinite(value) || (axis.logarithmic && value <= 0)) continue;
    value = std::clamp(value, axis.low.value_or(value), axis.high.value_or(value));
    range.low = std::min(range.low, value);
    range.high = std::max(range.high, value);
  }
  if (range.low > range.high) range = {axis.logarithmic ? 0.1 : 0.0, 1};
  if (axis.logarithmic) {
    const double factor = std::max(std::pow(range.high / range.low, 0.05), 1.05);
    return {axis.low.value_or(range.low / factor), axis.high.value_or(range.high * factor), true};
  }
  double margin = (range.high - range.low) / 20;
  if (margin == 0) margin = std::max(std::abs(range.low) / 20, 1e-3);
  range = {axis.low.value_or(range.low - margin), axis.high.value_or(range.high + margin)};
  if (!(range.high > range.low)) range.high = range.low + 1;
  return range;
}

ChartFrame::ChartFrame(Canvas& canvas, const ChartBox& outer, double bottom_margin, Range x,
                       Range y)
    : canvas_(canvas),
      outer_(outer),
      inner_{outer.x + kLeftMargin, outer.y + kTopMargin, outer.width - kLeftMargin - kRightMargin,
             outer.height - kTopMargin - bottom_margin},
      x_(x),
      y_(y) {}

double ChartFrame::x(double value) const {
  return inner_.x + share_of(x_, value) * inner_.width;
}

double ChartFrame::y(double value) const {
  const double inside = std::clamp(value, y_.low, y_.high);
  return inner_.y + inner_.height - share_of(y_, inside) * inner_.height;
}

void ChartFrame::draw_title(const std::string& title) {
  canvas_.text({inner_.x, outer_.y + 18}, title, {.size = 13, .bold = true});
}

void ChartFrame::draw_y_axis(const ChartAxis& axis) {
  const int wanted = std::max(2, static_cast<int>(inner_.height / 45));
  const std::vector<double> ticks = y_.logarithmic ? logarithmic_ticks(y_.low, y_.high, wanted)
                                                   : nice_ticks(y_.low, y_.high, wanted);
  std::vector<std::string> labels = tick_labels(ticks);
  for (size_t i = 0; y_.logarithmic && i < ticks.size(); ++i)
    labels[i] = fmt::format("{:.3g}", ticks[i]);
  for (size_t i = 0; i < ticks.size(); ++i) {
    const double at = y(ticks[i]);
    canvas_.line({inner_.x, at}, {inner_.x + inner_.width, at}, {.color = kGridColor});
    canvas_.text({inner_.x - 6, at + 4}, labels[i],
                 {.size = kChartTextSize, .anchor = CanvasAnchor::End});
  }
  canvas_.line({inner_.x, inner_.y}, {inner_.x, inner_.y + inner_.height}, {.color = kAxisColor});
  const double bottom = inner_.y + inner_.height;
  canvas_.line({inner_.x, bottom}, {inner_.x + inner_.width, bottom}, {.color = kAxisColor});
  canvas_.text({outer_.x + 14, inner_.y + inner_.height / 2}, axis.label,
               {.size = kChartTextSize, .anchor = CanvasAnchor::Middle, .rotation = -90});
}

void ChartFrame::draw_x_numbers(bool whole) {
  int wanted = std::max(2, static_cast<int>(inner_.width / 60));
  if (whole) wanted = static_cast<int>(std::min<double>(wanted, x_.high - x_.low));
  const std::vector<double> ticks = nice_ticks(x_.low, x_.high, wanted);
  const std::vector<std::string> labels = tick_labels(ticks);
  const double bottom = inner_.y + inner_.height;
  for (size_t i = 0; i < ticks.size(); ++i) {
    canvas_.line({x(ticks[i]), bottom}, {x(ticks[i]), bottom + 4}, {.color = kAxisColor});
    canvas_.text({x(ticks[i]), bottom + 17}, labels[i],
                 {.size = kChartTextSize, .anchor = CanvasAnchor::Middle});
  }
}

void ChartFrame::draw_x_label(const std::string& label, double legend_height) {
  canvas_.text({inner_.x + inner_.width / 2, outer_.y + outer_.height - 6 - legend_height}, label,
               {.size = kChartTextSize, .anchor = CanvasAnchor::Middle});
}

void ChartFrame::draw_rule(double value) {
  if (value < y_.low || value > y_.high) return;
  canvas_.line({inner_.x, y(value)}, {inner_.x + inner_.width, y(value)},
               {.color = "#222222", .width = 1, .dashes = "5 4"});
}

void ChartFrame::draw_x_rule(double value) {
  if (value < x_.low || value > x_.high) return;
  canvas_.line({x(value), inner_.y}, {x(value), inner_.y + inner_.height},
               {.color = "#222222", .width = 1, .dashes = "5 4"});
}

void ChartFrame::draw_error_bar(double at, double low, double high, const std::string& color) {
  constexpr double kCap = 5;
  const CanvasStroke stroke = {.color = color, .width = 1.5};
  canvas_.line({at, y(low)}, {at, y(high)}, stroke);
  for (const double end : {low, high})
    canvas_.line({at - kCap, y(end)}, {at + kCap, y(end)}, stroke);
}

}  // namespace tessera
