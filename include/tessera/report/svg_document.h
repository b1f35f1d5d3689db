#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tessera/report/canvas.h"

namespace tessera {

using SvgPoint = CanvasPoint;
using SvgAnchor = CanvasAnchor;
using SvgStroke = CanvasStroke;
using SvgText = CanvasText;

/// Draws into an SVG picture: each call adds one shape above the earlier ones. Numbers are written
/// with two decimals and `.` as point whatever the locale, so equal drawings are equal bytes.
class SvgDocument final : public Canvas {
 public:
  SvgDocument(double width, double height);

  double width() const override { return width_; }
  double height() const override { return height_; }

  void line(SvgPoint from, SvgPoint to, const SvgStroke& stroke = {}) override;
  void polyline(const std::vector<SvgPoint>& points, const SvgStroke& stroke = {}) override;
  void polygon(const std::vector<SvgPoint>& points, std::string_view fill,
               double opacity = 1) override;
  void rect(SvgPoint corner, double width, double height, std::string_view fill,
            const SvgStroke& stroke = {.color = "none"}) override;
  void circle(SvgPoint centre, double radius, std::string_view fill) override;
  /// The text as it reads: <, > and & are escaped.
  void text(SvgPoint at, std::string_view text, const SvgText& style = {}) override;
  /// A text shown when the pointer rests on the last shape.
  void tooltip(std::string_view text) override;

  /// The whole picture, as a file or inside an HTML page.
  std::string to_string() const;

 private:
  double width_, height_;
  std::vector<std::string> shapes_;    // each "<tag attributes" without its end
  std::vector<std::string> contents_;  // of the shape of the same number; "" closes it at once
};

}  // namespace tessera
