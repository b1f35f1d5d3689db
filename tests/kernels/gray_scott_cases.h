#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/context.h"
#include "tessera/kernels/gray_scott.h"
#include "testing/determinism.h"

namespace tessera::testing {

using namespace kernels;
inline constexpr int64_t kSide = kGraySide, kCells = kGrayCells;

/// Fields of one sample as the definition has them.
struct Fields {
  std::vector<double> u, v;
  static size_t at(int64_t y, int64_t x) {
    return static_cast<size_t>((y + kSide) % kSide * kSide + (x + kSide) % kSide);
  }
};

/// Two samples: smooth waves with noise, and blobs that touch all four edges.
inline std::vector<float> start_fields() {
  std::vector<float> fields = uniform<float>(4 * kCells, 3, 0, 0.05);
  for (int64_t i = 0; i < kCells; ++i) {
    const double y = double(i / kSide) / kSide, x = double(i % kSide) / kSide;
    fields[i] += float(0.6 + 0.2 * std::cos(6.28318530717958648 * (3 * x + y)));
    fields[kCells + i] += float(0.2 + 0.15 * std::cos(6.28318530717958648 * (2 * y - 5 * x)));
    const bool blob = (i / kSide + 5) % kSide < 11 && (i % kSide + 4) % kSide < 17;
    fields[2 * kCells + i] += blob ? 0.5f : 0.9f;
    fields[3 * kCells + i] += blob ? 0.3f : 0.0f;
  }
  return fields;
}

inline const std::vector<GrayScottRates>& rates() {
  static const std::vector<GrayScottRates> values = {{0.035f, 0.06f, 0.16f, 0.08f},
                                                     {0.05f, 0.063f, 0.2f, 0.1f}};
  return values;
}

struct Outcome {
  std::vector<float> fields, features;
};

inline Outcome run(int64_t frames, int64_t steps, const std::vector<int32_t>& lengths = {}) {
  Outcome r{start_fields(),
            std::vector<float>(static_cast<size_t>(2 * frames * kFrameFeatures), -1)};
  gray_scott(cpu_context(),
             {r.fields.data(), rates().data(), lengths.empty() ? nullptr : lengths.data(),
              r.features.data(), 2, frames, steps});
  return r;
}

inline Fields sample_of(const std::vector<float>& fields, int64_t sample) {
  const auto u = fields.begin() + sample * 2 * kCells;
  return {{u, u + kCells}, {u + kCells, u + 2 * kCells}};
}

}  // namespace tessera::testing
