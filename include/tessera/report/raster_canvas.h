#pragma once

#include <cstdint>
#include <vector>

#include "tessera/report/canvas.h"

namespace tessera {

/// A picture of pixels, white at first: what PNG charts are drawn on. Edges are smooth; texts are
/// letters of one bitmap font, ASCII alone. `scale` pixels make one unit of width and height.
class RasterCanvas final : public Canvas {
 public:
  RasterCanvas(double width, double height, int scale = 2);

  double width() const override { return width_; }
  double height() const override { return height_; }

  void line(CanvasPoint from, CanvasPoint to, const CanvasStroke& stroke = {}) override;
  void polyline(const std::vector<CanvasPoint>& points, const CanvasStroke& stroke = {}) override;
  void polygon(const std::vector<CanvasPoint>& points, std::string_view fill,
               double opacity = 1) override;
  void rect(CanvasPoint corner, double width, double height, std::string_view fill,
            const CanvasStroke& stroke = {.color = "none"}) override;
  void circle(CanvasPoint centre, double radius, std::string_view fill) override;
  void text(CanvasPoint at, std::string_view text, const CanvasText& style = {}) override;
  void tooltip(std::string_view) override {}

  int pixel_width() const { return columns_; }
  int pixel_height() const { return rows_; }
  const std::vector<uint8_t>& pixels() const { return pixels_; }  ///< [height, width, 3]
  void write_png(const std::string& path) const;

 private:
  struct Color {
    uint8_t red = 0, green = 0, blue = 0;
    bool visible = true;
  };
  static Color color_of(std::string_view text);
  void blend(int column, int row, const Color& color, double share);
  void segment(CanvasPoint from, CanvasPoint to, double width, const Color& color);
  void fill(const std::vector<CanvasPoint>& points, const Color& color, double opacity);

  double width_, height_;
  int scale_, columns_, rows_;
  std::vector<uint8_t> pixels_;
};

}  // namespace tessera
