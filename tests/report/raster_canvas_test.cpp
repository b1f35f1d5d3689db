#include "tessera/report/raster_canvas.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace tessera {
namespace {

/// Red, green and blue of one pixel of a picture of one pixel a unit.
std::array<int, 3> pixel(const RasterCanvas& canvas, int x, int y) {
  const uint8_t* p = canvas.pixels().data() + 3 * (y * canvas.pixel_width() + x);
  return {p[0], p[1], p[2]};
}
constexpr std::array<int, 3> kWhite = {255, 255, 255}, kRed = {255, 0, 0};

/// Dark pixels of columns [left, right) and rows [top, bottom).
int ink(const RasterCanvas& canvas, int left, int right, int top, int bottom) {
  int count = 0;
  for (int y = top; y < bottom; ++y)
    for (int x = left; x < right; ++x) count += pixel(canvas, x, y)[0] < 128 ? 1 : 0;
  return count;
}

TEST(RasterCanvasTest, RectanglesFillWholePixelsExactly) {
  RasterCanvas canvas(10, 10, 1);
  canvas.rect({2, 3}, 4, 2, "#ff0000");
  EXPECT_EQ(pixel(canvas, 2, 3), kRed);
  EXPECT_EQ(pixel(canvas, 5, 4), kRed);
  EXPECT_EQ(pixel(canvas, 6, 4), kWhite);
  EXPECT_EQ(pixel(canvas, 2, 2), kWhite);
  EXPECT_EQ(pixel(canvas, 2, 5), kWhite);
}

TEST(RasterCanvasTest, HalfCoveredPixelsAreHalfColoured) {
  RasterCanvas canvas(4, 4, 1);
  canvas.rect({0, 0}, 1.5, 4, "#000000");
  EXPECT_EQ(pixel(canvas, 0, 2)[0], 0);
  EXPECT_NEAR(pixel(canvas, 1, 2)[0], 128, 1);
}

TEST(RasterCanvasTest, OpacityMixesWithWhatIsBelow) {
  RasterCanvas canvas(4, 4, 1);
  canvas.polygon({{0, 0}, {4, 0}, {4, 4}, {0, 4}}, "#ff0000", 0.5);
  EXPECT_EQ(pixel(canvas, 1, 1), (std::array<int, 3>{255, 128, 128}));
}

TEST(RasterCanvasTest, LinesHaveTheirWidth) {
  RasterCanvas canvas(20, 20, 1);
  canvas.line({0, 10}, {20, 10}, {.color = "#ff0000", .width = 4});
  EXPECT_EQ(pixel(canvas, 10, 8), kRed);
  EXPECT_EQ(pixel(canvas, 10, 11), kRed);
  EXPECT_EQ(pixel(canvas, 10, 7), kWhite);
  EXPECT_EQ(pixel(canvas, 10, 13), kWhite);
}

TEST(RasterCanvasTest, DashesLeaveGapsAcrossCorners) {
  RasterCanvas canvas(30, 5, 1);
  canvas.polyline({{0, 2.5}, {5, 2.5}, {30, 2.5}},
                  {.color = "#ff0000", .width = 1, .dashes = "8 8"});
  EXPECT_EQ(pixel(canvas, 6, 2), kRed);
  EXPECT_EQ(pixel(canvas, 12, 2), kWhite);
  EXPECT_EQ(pixel(canvas, 20, 2), kRed);
}

TEST(RasterCanvasTest, TextsStandOnTheirBaseline) {
  RasterCanvas canvas(40, 40, 1);
  canvas.text({10, 20}, "H", {.size = 12});
  EXPECT_EQ(ink(canvas, 0, 40, 0, 13), 0);  // above the capitals
  EXPECT_GT(ink(canvas, 10, 15, 13, 20), 10);
  EXPECT_EQ(ink(canvas, 0, 40, 20, 40), 0);  // below the baseline
}

TEST(RasterCanvasTest, AnchorsAndRotationPlaceTheText) {
  RasterCanvas end(40, 40, 1), turned(40, 40, 1);
  end.text({20, 20}, "HH", {.size = 12, .anchor = CanvasAnchor::End});
  EXPECT_EQ(ink(end, 20, 40, 0, 40), 0);
  EXPECT_GT(ink(end, 8, 20, 0, 40), 20);
  turned.text({20, 20}, "HH", {.size = 12, .rotation = -90});  // reads upwards
  EXPECT_EQ(ink(turned, 0, 40, 20, 40), 0);
  EXPECT_GT(ink(turned, 13, 20, 8, 20), 20);
}

TEST(RasterCanvasTest, EveryLetterHasItsOwnShape) {
  std::set<std::vector<uint8_t>> shapes;
  for (char c = ' '; c <= '~'; ++c) {
    RasterCanvas canvas(8, 16, 1);
    canvas.text({1, 10}, std::string(1, c), {.size = 12});
    shapes.insert(canvas.pixels());
  }
  EXPECT_EQ(shapes.size(), 95u);
}

TEST(RasterCanvasTest, DrawingBeyondTheEdgeIsCut) {
  RasterCanvas canvas(5, 5, 1);
  canvas.line({-100, -100}, {100, 100}, {.color = "#ff0000", .width = 2});
  canvas.rect({-5, 3}, 100, 100, "#ff0000");
  EXPECT_EQ(pixel(canvas, 0, 4), kRed);
}

}  // namespace
}  // namespace tessera
