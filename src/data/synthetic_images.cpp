#include "data/synthetic_images.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include "data/random_draws.h"

namespace tessera {
namespace {

constexpr int64_t kSide = 28;
constexpr float kHalfTurn = std::numbers::pi_v<float>;
constexpr uint64_t kDrawsPerImage = 64;  // more than any image takes

enum Shape { kRectangle, kEllipse, kStripes, kGradient, kShapes };

/// What is drawn: a shape in coordinates (u, v) of its own, turned and centred.
struct Picture {
  int shape;
  float x, y;                         // centre, pixels
  float cosine, sine;                 // of the turn
  float half_width, half_height;      // pixels
  float period, phase;                // stripes: pixels, radians
  float background, intensity, fade;  // 0 .. 1; fade: change of the intensity across the shape

  explicit Picture(RandomDraws& draw) {
    shape = draw.one_of(kShapes);
    x = draw.between(9, 19);
    y = draw.between(9, 19);
    const float turn = draw.between(0, kHalfTurn);
    cosine = std::cos(turn);
    sine = std::sin(turn);
    half_width = draw.between(3, 12);
    half_height = draw.between(3, 12);
    period = draw.between(8, 24);
    phase = draw.between(0, 2 * kHalfTurn);
    background = draw.between(0, 0.15f);
    intensity = draw.between(0.35f, 1);
    fade = draw.between(-0.3f, 0.3f);
  }

  float at(float column, float row) const {
    const float u = (column - x) * cosine + (row - y) * sine;
    const float v = (row - y) * cosine - (column - x) * sine;
    const float inside = coverage(u, v);
    const float bright = std::clamp(intensity + fade * u / half_width, 0.0f, 1.0f);
    return background + (bright - background) * inside;
  }

 private:
  /// Share of the pixel that the shape covers; edges are one pixel wide.
  float coverage(float u, float v) const {
    const auto edge = [](float distance) { return std::clamp(0.5f - distance, 0.0f, 1.0f); };
    if (shape == kRectangle)
      return edge(std::abs(u) - half_width) * edge(std::abs(v) - half_height);
    if (shape == kEllipse) {
      const float radius = std::hypot(u / half_width, v / half_height);
      return edge((radius - 1) * std::min(half_width, half_height));
    }
    if (shape == kStripes) return 0.5f + 0.5f * std::sin(2 * kHalfTurn * u / period + phase);
    return std::clamp(0.5f + 0.25f * u / half_width, 0.0f, 1.0f);
  }
};

}  // namespace

HostArray synthetic_images(int64_t count, uint64_t seed, Split split) {
  TESSERA_CHECK(count >= 0, "synthetic_images: ", count, " images");
  std::vector<uint8_t> pixels(static_cast<size_t>(count * kSide * kSide));
  for (int64_t i = 0; i < count; ++i) {
    RandomDraws draws(seed, kernels::kStreamSynthetic, static_cast<uint64_t>(i),
                      split == Split::Train ? 0 : kDrawsPerImage);
    const Picture picture(draws);
    for (int64_t row = 0; row < kSide; ++row)
      for (int64_t column = 0; column < kSide; ++column)
        pixels[static_cast<size_t>((i * kSide + row) * kSide + column)] = static_cast<uint8_t>(
            255 * picture.at(static_cast<float>(column), static_cast<float>(row)) + 0.5f);
  }
  return HostArray::from_values<uint8_t>({count, kSide, kSide}, pixels);
}

}  // namespace tessera
