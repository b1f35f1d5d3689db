#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tessera {

/// A point in pixels, y downwards.
struct CanvasPoint {
  double x = 0, y = 0;
};

enum class CanvasAnchor { Start, Middle, End };

/// Colours are "#rrggbb" or "none", widths and sizes pixels.
struct CanvasStroke {
  std::string color = "#333333";
  double width = 1;
  std::string dashes = {};  ///< "4 3"; empty: a full line
};

struct CanvasText {
  double size = 12;
  CanvasAnchor anchor = CanvasAnchor::Start;
  std::string color = "#222222";
  double rotation = 0;  ///< degrees, clockwise, about the text's own point
  bool bold = false;
};

/// What charts are drawn on: an SVG document or a picture of pixels. Each call adds one shape above
/// the earlier ones.
class Canvas {
 public:
  virtual ~Canvas() = default;
  virtual double width() const = 0;
  virtual double height() const = 0;

  virtual void line(CanvasPoint from, CanvasPoint to, const CanvasStroke& stroke = {}) = 0;
  virtual void polyline(const std::vector<CanvasPoint>& points,
                        const CanvasStroke& stroke = {}) = 0;
  virtual void polygon(const std::vector<CanvasPoint>& points, std::string_view fill,
                       double opacity = 1) = 0;
  virtual void rect(CanvasPoint corner, double width, double height, std::string_view fill,
                    const CanvasStroke& stroke = {.color = "none"}) = 0;
  virtual void circle(CanvasPoint centre, double radius, std::string_view fill) = 0;
  /// The baseline of the text begins, is centred or ends at `at`.
  virtual void text(CanvasPoint at, std::string_view text, const CanvasText& style = {}) = 0;
  /// A text shown when the pointer rests on the last shape, where that is possible.
  virtual void tooltip(std::string_view text) = 0;
};

}  // namespace tessera
