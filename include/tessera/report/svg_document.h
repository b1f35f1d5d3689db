#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tessera {

/// A point in pixels, y downwards.
struct SvgPoint {
  double x = 0, y = 0;
};

enum class SvgAnchor { Start, Middle, End };

/// Colours are CSS colours ("#1f77b4", "none"), widths and sizes pixels.
struct SvgStroke {
  std::string color = "#333333";
  double width = 1;
  std::string dashes = {};  ///< "4 3"; empty: a full line
};

struct SvgText {
  double size = 12;
  SvgAnchor anchor = SvgAnchor::Start;
  std::string color = "#222222";
  double rotation = 0;  ///< degrees, clockwise, about the text's own point
  bool bold = false;
};

/// Draws into an SVG picture: each call adds one shape above the earlier ones. Numbers are written
/// with two decimals and `.` as point whatever the locale, so equal drawings are equal bytes.
class SvgDocument {
 public:
  SvgDocument(double width, double height);

  double width() const { return width_; }
  double height() const { return height_; }

  void line(SvgPoint from, SvgPoint to, const SvgStroke& stroke = {});
  void polyline(const std::vector<SvgPoint>& points, const SvgStroke& stroke = {});
  void polygon(const std::vector<SvgPoint>& points, std::string_view fill, double opacity = 1);
  void rect(SvgPoint corner, double width, double height, std::string_view fill,
            const SvgStroke& stroke = {.color = "none"});
  void circle(SvgPoint centre, double radius, std::string_view fill);
  /// The text as it reads: <, > and & are escaped.
  void text(SvgPoint at, std::string_view text, const SvgText& style = {});
  /// A text shown when the pointer rests on the last shape.
  void tooltip(std::string_view text);

  /// The whole picture, as a file or inside an HTML page.
  std::string to_string() const;

 private:
  double width_, height_;
  std::vector<std::string> shapes_;    // each "<tag attributes" without its end
  std::vector<std::string> contents_;  // of the shape of the same number; "" closes it at once
};

}  // namespace tessera
