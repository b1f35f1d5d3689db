// The reaction-diffusion solver and the features of its frames. Gcell/s = flop / 17 of the solver.

#include <fmt/format.h>

#include <cmath>
#include <memory>

#include "bench/bench.h"
#include "core/context.h"
#include "tessera/kernels/gray_scott.h"

namespace tessera::bench {
namespace {

using namespace kernels;

constexpr int64_t kSamples = 16;
constexpr double kFlopPerCell = 17;  // 7 additions, 2 products, 4 multiply-adds

struct Samples {
  std::vector<float> start, fields, features;
  std::vector<GrayScottRates> rates;

  explicit Samples(int64_t frames)
      : start(random_values(kSamples * 2 * kGrayCells, 1)),
        features(static_cast<size_t>(kSamples * frames * kFrameFeatures)),
        rates(kSamples, {0.035f, 0.06f, 0.16f, 0.08f}) {
    for (float& value : start) value = 0.5f + 0.25f * value;
  }
  void run(int64_t frames, int64_t steps) {
    fields = start;
    gray_scott(cpu_context(),
               {fields.data(), rates.data(), nullptr, features.data(), kSamples, frames, steps});
  }
};

/// One step by the definition, with the roundings of the contract.
void reference_step(const GrayScottRates& r, std::vector<float>& u, std::vector<float>& v) {
  const auto old_u = u, old_v = v;
  const float keep_u = 1 - r.feed - 4 * r.diffusion_u;
  const float keep_v = 1 - (r.feed + r.kill) - 4 * r.diffusion_v;
  for (int64_t y = 0; y < kGraySide; ++y)
    for (int64_t x = 0; x < kGraySide; ++x) {
      const auto cell = [](int64_t i, int64_t j) {
        return static_cast<size_t>((i + kGraySide) % kGraySide * kGraySide +
                                   (j + kGraySide) % kGraySide);
      };
      const auto around = [&](const std::vector<float>& f) {
        return (f[cell(y, x - 1)] + f[cell(y, x + 1)]) + (f[cell(y - 1, x)] + f[cell(y + 1, x)]);
      };
      const size_t i = cell(y, x);
      const float reaction = old_u[i] * (old_v[i] * old_v[i]);
      u[i] = std::fma(r.diffusion_u, around(old_u), std::fma(keep_u, old_u[i], r.feed)) - reaction;
      v[i] = std::fma(r.diffusion_v, around(old_v), std::fma(keep_v, old_v[i], reaction));
      if (!(v[i] > 1e-15f)) v[i] = 0;
    }
}

/// Compares the first sample bit for bit.
std::string check(const Samples& samples, int64_t steps) {
  const auto part = [](const std::vector<float>& values, int64_t species) {
    const auto begin = values.begin() + species * kGrayCells;
    return std::vector<float>(begin, begin + kGrayCells);
  };
  auto u = part(samples.start, 0), v = part(samples.start, 1);
  for (int64_t step = 0; step < steps; ++step) reference_step(samples.rates[0], u, v);
  return u == part(samples.fields, 0) && v == part(samples.fields, 1)
             ? ""
             : "the fields are not those of the definition";
}

Case one(const std::string& name, int64_t frames, int64_t steps) {
  Case c;
  c.name = name;
  c.flop = kFlopPerCell * static_cast<double>(kSamples * frames * steps * kGrayCells);
  c.prepare = [=] {
    const auto samples = std::make_shared<Samples>(frames);
    return Work{[=] { samples->run(frames, steps); },
                [=] { return check(*samples, frames * steps); }};
  };
  return c;
}

}  // namespace

std::vector<Case> gray_scott_cases() {
  return {one(fmt::format("gray_scott/solver/{}x64x64x512", kSamples), 1, 512),
          one(fmt::format("gray_scott/solver_and_features/{}x64x64x32x16", kSamples), 16, 32)};
}

}  // namespace tessera::bench
