#include "simulate/initial_fields.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "data/random_draws.h"

namespace tessera {
namespace {

using kernels::kGrayCells;
using kernels::kGraySide;

/// Which part of a cell is seed, 0 to 1.
class SeedMask {
 public:
  SeedMask() : part_(static_cast<size_t>(kGrayCells)) {}

  float operator[](int64_t cell) const { return part_[static_cast<size_t>(cell)]; }

  void squares(RandomDraws& draw) {
    for (int n = 1 + draw.one_of(12); n > 0; --n) {
      const int x0 = draw.one_of(kGraySide), y0 = draw.one_of(kGraySide), side = 3 + draw.one_of(8);
      for (int y = 0; y < side; ++y)
        for (int x = 0; x < side; ++x) raise(y0 + y, x0 + x, 1);
    }
  }

  void discs(RandomDraws& draw) {
    for (int n = 1 + draw.one_of(12); n > 0; --n) {
      const float cx = draw.between(0, kGraySide), cy = draw.between(0, kGraySide);
      const float radius = draw.between(2, 7);
      const int x0 = static_cast<int>(cx), y0 = static_cast<int>(cy), reach = 8;
      for (int y = y0 - reach; y <= y0 + reach; ++y)
        for (int x = x0 - reach; x <= x0 + reach; ++x) {
          const float dx = static_cast<float>(x) - cx, dy = static_cast<float>(y) - cy;
          raise(y, x, std::clamp(radius - std::sqrt(dx * dx + dy * dy) + 0.5f, 0.0f, 1.0f));
        }
    }
  }

  void stripes(RandomDraws& draw) {
    const bool upright = draw.one_of(2) == 1;
    for (int n = 1 + draw.one_of(3); n > 0; --n) {
      const int first = draw.one_of(kGraySide), width = 2 + draw.one_of(9);
      for (int i = first; i < first + width; ++i)
        for (int j = 0; j < kGraySide; ++j) upright ? raise(j, i, 1) : raise(i, j, 1);
    }
  }

  /// A lattice of random heights, linear between its points.
  void smooth_field(RandomDraws& draw) {
    constexpr int kStep = 8, kPoints = kGraySide / kStep;
    float heights[kPoints][kPoints];
    for (auto& row : heights)
      for (float& height : row) height = draw.uniform();
    const float level = draw.between(0.5f, 0.75f);
    for (int y = 0; y < kGraySide; ++y)
      for (int x = 0; x < kGraySide; ++x) {
        const auto point = [&](int i, int j) { return heights[i % kPoints][j % kPoints]; };
        const int i = y / kStep, j = x / kStep;
        const float ty = static_cast<float>(y % kStep) / kStep;
        const float tx = static_cast<float>(x % kStep) / kStep;
        const float upper = point(i, j) + tx * (point(i, j + 1) - point(i, j));
        const float lower = point(i + 1, j) + tx * (point(i + 1, j + 1) - point(i + 1, j));
        if (upper + ty * (lower - upper) > level) raise(y, x, 1);
      }
  }

 private:
  void raise(int y, int x, float part) {
    constexpr int kSide = static_cast<int>(kGraySide);
    float& cell = part_[static_cast<size_t>((y % kSide + kSide) % kSide * kSide +
                                            (x % kSide + kSide) % kSide)];
    cell = std::max(cell, part);
  }

  std::vector<float> part_;
};

/// Noise on v is relative: between the seeds v stays 0, so that features of v see the seeds alone.
void write_fields(const SeedMask& mask, float height, float noise, RandomDraws& draw,
                  std::span<float> fields) {
  for (int64_t i = 0; i < kGrayCells; ++i) {
    const float v = height * mask[i] * (1 + noise * draw.between(-1, 1));
    const float u = 1 - 2 * v + 0.1f * noise * draw.between(-1, 1);
    fields[static_cast<size_t>(i)] = std::clamp(u, 0.0f, 1.0f);
    fields[static_cast<size_t>(kGrayCells + i)] = v;
  }
}

}  // namespace

SimulationStart draw_start(uint64_t seed, int64_t sample, std::span<float> fields) {
  RandomDraws draw(seed, kernels::kStreamSimulate, static_cast<uint64_t>(sample));
  const float feed = draw.between(0.012f, 0.068f);
  const float line = std::sqrt(feed) / 2 - feed;
  const float kill = line + draw.between(-0.004f, 0.007f);
  const float diffusion = draw.between(0.14f, 0.21f);
  const float height = draw.between(0.2f, 0.45f), noise = draw.between(0, 0.2f);
  SeedMask mask;
  switch (draw.one_of(4)) {
    case 0:
      mask.squares(draw);
      break;
    case 1:
      mask.discs(draw);
      break;
    case 2:
      mask.stripes(draw);
      break;
    default:
      mask.smooth_field(draw);
  }
  write_fields(mask, height, noise, draw, fields);
  return {{feed, kill, diffusion, diffusion / 2}, height, noise};
}

void pearson_start(uint64_t seed, std::span<float> fields) {
  constexpr int kSquare = 12, kFirst = (kGraySide - kSquare) / 2;
  RandomDraws draw(seed, kernels::kStreamSimulate, 0);
  for (int64_t i = 0; i < kGrayCells; ++i) {
    const int64_t y = i / kGraySide - kFirst, x = i % kGraySide - kFirst;
    const bool inside = y >= 0 && y < kSquare && x >= 0 && x < kSquare;
    const auto noisy = [&](float value) { return value * (1 + draw.between(-0.01f, 0.01f)); };
    fields[static_cast<size_t>(i)] = noisy(inside ? 0.5f : 1.0f);
    fields[static_cast<size_t>(kGrayCells + i)] = noisy(inside ? 0.25f : 0.0f);
  }
}

}  // namespace tessera
