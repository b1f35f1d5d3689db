#include "tessera/report/raster_canvas.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <sstream>

#include "report/bitmap_font.h"
#include "tessera/error.h"
#include "tessera/files/png.h"

namespace tessera {
namespace {

/// Rows that a filled shape's edge is sampled in, for each row of pixels.
constexpr int kSubRows = 4;

std::vector<double> dash_lengths(const std::string& dashes) {
  std::istringstream text(dashes);
  std::vector<double> lengths;
  for (double length; text >> length;)
    if (length > 0) lengths.push_back(length);
  return lengths;
}

/// Where the outline crosses height y, ascending.
std::vector<double> crossings(const std::vector<CanvasPoint>& points, double y) {
  std::vector<double> xs;
  for (size_t i = 0; i < points.size(); ++i) {
    const CanvasPoint &a = points[i], &b = points[(i + 1) % points.size()];
    if ((a.y <= y) == (b.y <= y)) continue;
    xs.push_back(a.x + (y - a.y) / (b.y - a.y) * (b.x - a.x));
  }
  std::sort(xs.begin(), xs.end());
  return xs;
}

}  // namespace

RasterCanvas::RasterCanvas(double width, double height, int scale)
    : width_(width),
      height_(height),
      scale_(scale),
      columns_(static_cast<int>(std::ceil(width * scale))),
      rows_(static_cast<int>(std::ceil(height * scale))) {
  TESSERA_CHECK(columns_ > 0 && rows_ > 0 && columns_ <= 20000 && rows_ <= 20000,
                "RasterCanvas: a picture of ", columns_, " x ", rows_);
  pixels_.assign(size_t{3} * static_cast<size_t>(columns_) * static_cast<size_t>(rows_), 255);
}

RasterCanvas::Color RasterCanvas::color_of(std::string_view text) {
  if (text == "none") return {.visible = false};
  TESSERA_CHECK(text.size() == 7 && text[0] == '#', "RasterCanvas: colour ", text,
                " is neither #rrggbb nor none");
  const unsigned long value = std::stoul(std::string(text.substr(1)), nullptr, 16);
  return {static_cast<uint8_t>(value >> 16), static_cast<uint8_t>(value >> 8),
          static_cast<uint8_t>(value)};
}

void RasterCanvas::blend(int column, int row, const Color& color, double share) {
  if (column < 0 || row < 0 || column >= columns_ || row >= rows_ || share <= 0) return;
  share = std::min(share, 1.0);
  uint8_t* pixel = pixels_.data() + 3 * (static_cast<size_t>(row) * columns_ + column);
  const uint8_t values[] = {color.red, color.green, color.blue};
  for (int i = 0; i < 3; ++i)
    pixel[i] = static_cast<uint8_t>(std::lround(pixel[i] + share * (values[i] - pixel[i])));
}

/// In pixels. A pixel takes colour by the distance of its centre to the line.
void RasterCanvas::segment(CanvasPoint from, CanvasPoint to, double width, const Color& color) {
  const double half = width / 2, dx = to.x - from.x, dy = to.y - from.y;
  const double square = dx * dx + dy * dy;
  const int left = static_cast<int>(std::floor(std::min(from.x, to.x) - half - 1));
  const int right = static_cast<int>(std::ceil(std::max(from.x, to.x) + half + 1));
  const int top = static_cast<int>(std::floor(std::min(from.y, to.y) - half - 1));
  const int bottom = static_cast<int>(std::ceil(std::max(from.y, to.y) + half + 1));
  for (int row = std::max(top, 0); row <= std::min(bottom, rows_ - 1); ++row)
    for (int column = std::max(left, 0); column <= std::min(right, columns_ - 1); ++column) {
      const double x = column + 0.5 - from.x, y = row + 0.5 - from.y;
      const double t = square > 0 ? std::clamp((x * dx + y * dy) / square, 0.0, 1.0) : 0;
      blend(column, row, color, half + 0.5 - std::hypot(x - t * dx, y - t * dy));
    }
}

/// In pixels; inside is where the outline is crossed an odd number of times.
void RasterCanvas::fill(const std::vector<CanvasPoint>& points, const Color& color,
                        double opacity) {
  if (points.size() < 3 || !color.visible) return;
  const auto [low, high] = std::minmax_element(
      points.begin(), points.end(), [](const auto& a, const auto& b) { return a.y < b.y; });
  const auto [leftmost, rightmost] = std::minmax_element(
      points.begin(), points.end(), [](const auto& a, const auto& b) { return a.x < b.x; });
  const int left = std::clamp(static_cast<int>(std::floor(leftmost->x)), 0, columns_);
  const int right = std::clamp(static_cast<int>(std::ceil(rightmost->x)), left, columns_);
  std::vector<double> cover(static_cast<size_t>(right - left));
  const int first = std::max(0, static_cast<int>(std::floor(low->y)));
  const int last = std::min(rows_ - 1, static_cast<int>(std::ceil(high->y)));
  for (int row = first; row <= last; ++row) {
    std::fill(cover.begin(), cover.end(), 0.0);
    for (int sub = 0; sub < kSubRows; ++sub) {
      const std::vector<double> xs = crossings(points, row + (sub + 0.5) / kSubRows);
      for (size_t i = 0; i + 1 < xs.size(); i += 2) {
        const double begin = std::clamp(xs[i], double(left), double(right));
        const double end = std::clamp(xs[i + 1], double(left), double(right));
        for (int column = static_cast<int>(begin); column < end; ++column)
          cover[static_cast<size_t>(column - left)] +=
              (std::min(end, column + 1.0) - std::max(begin, double(column))) / kSubRows;
      }
    }
    for (int column = left; column < right; ++column)
      blend(column, row, color, opacity * cover[static_cast<size_t>(column - left)]);
  }
}

void RasterCanvas::line(CanvasPoint from, CanvasPoint to, const CanvasStroke& stroke) {
  polyline({from, to}, stroke);
}

void RasterCanvas::polyline(const std::vector<CanvasPoint>& points, const CanvasStroke& stroke) {
  const Color color = color_of(stroke.color);
  if (!color.visible) return;
  const std::vector<double> dashes = dash_lengths(stroke.dashes);
  const auto in_pixels = [&](CanvasPoint p) { return CanvasPoint{p.x * scale_, p.y * scale_}; };
  size_t dash = 0;
  double left = dashes.empty() ? 0 : dashes[0];
  for (size_t i = 0; i + 1 < points.size(); ++i) {
    const CanvasPoint &a = points[i], &b = points[i + 1];
    const double length = std::hypot(b.x - a.x, b.y - a.y);
    for (double at = 0; at < length;) {
      const double step = dashes.empty() ? length : std::min(left, length - at);
      const auto point = [&](double d) {
        return in_pixels({a.x + d / length * (b.x - a.x), a.y + d / length * (b.y - a.y)});
      };
      if (dash % 2 == 0) segment(point(at), point(at + step), stroke.width * scale_, color);
      at += step;
      if (dashes.empty() || (left -= step) > 0) continue;
      ++dash;
      left = dashes[dash % dashes.size()];
    }
  }
}

void RasterCanvas::polygon(const std::vector<CanvasPoint>& points, std::string_view fill_color,
                           double opacity) {
  std::vector<CanvasPoint> scaled = points;
  for (CanvasPoint& point : scaled) point = {point.x * scale_, point.y * scale_};
  fill(scaled, color_of(fill_color), opacity);
}

void RasterCanvas::rect(CanvasPoint corner, double width, double height, std::string_view fill,
                        const CanvasStroke& stroke) {
  const CanvasPoint a = corner, b = {corner.x + width, corner.y},
                    c = {corner.x + width, corner.y + height}, d = {corner.x, corner.y + height};
  polygon({a, b, c, d}, fill, 1);
  polyline({a, b, c, d, a}, stroke);
}

void RasterCanvas::circle(CanvasPoint centre, double radius, std::string_view fill) {
  const Color color = color_of(fill);
  if (color.visible) {
    const CanvasPoint at = {centre.x * scale_, centre.y * scale_};
    segment(at, at, 2 * radius * scale_, color);
  }
}

void RasterCanvas::text(CanvasPoint at, std::string_view text, const CanvasText& style) {
  const Color color = color_of(style.color);
  // Dots of whole pixels; the letters of one size up are as wide as those of a usual font.
  const int dot = std::max(1, static_cast<int>(std::lround(style.size * scale_ / kFontHeight)));
  const double length = static_cast<double>(text.size()) * kFontWidth * dot;
  const double share = style.anchor == CanvasAnchor::Start    ? 0
                       : style.anchor == CanvasAnchor::Middle ? 0.5
                                                              : 1;
  const double angle = style.rotation * std::numbers::pi / 180;
  const double c = std::cos(angle), s = std::sin(angle);
  const CanvasPoint origin = {std::round(at.x * scale_), std::round(at.y * scale_)};
  const auto place = [&](double x, double y) {
    return CanvasPoint{origin.x + c * x - s * y, origin.y + s * x + c * y};
  };
  const double start = -std::round(length * share), thick = style.bold ? dot * 1.5 : dot;
  for (size_t i = 0; i < text.size(); ++i) {
    const char letter = text[i] >= kFontFirst && text[i] <= kFontLast ? text[i] : '?';
    const uint8_t* rows = kFont[letter - kFontFirst];
    for (int row = 0; row < 9; ++row)
      for (int column = 0; column < 5; ++column) {
        if ((rows[row] >> (4 - column) & 1) == 0) continue;
        const double x = start + (static_cast<double>(i) * kFontWidth + column) * dot;
        const double y = (row - kFontAscent) * static_cast<double>(dot);
        fill({place(x, y), place(x + thick, y), place(x + thick, y + dot), place(x, y + dot)},
             color, 1);
      }
  }
}

void RasterCanvas::write_png(const std::string& path) const {
  tessera::write_png(path, columns_, rows_, 3, pixels_);
}

}  // namespace tessera
