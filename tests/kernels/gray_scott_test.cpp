#include <algorithm>
#include <vector>

#include "kernels/gray_scott_cases.h"

namespace tessera {
namespace {

using namespace tessera::testing;

Fields step(const Fields& old, double feed, double kill, double du, double dv) {
  Fields next = old;
  for (int64_t y = 0; y < kSide; ++y)
    for (int64_t x = 0; x < kSide; ++x) {
      const auto laplacian = [&](const std::vector<double>& f) {
        return f[Fields::at(y - 1, x)] + f[Fields::at(y + 1, x)] + f[Fields::at(y, x - 1)] +
               f[Fields::at(y, x + 1)] - 4 * f[Fields::at(y, x)];
      };
      const size_t i = Fields::at(y, x);
      const double u = old.u[i], v = old.v[i], reaction = u * v * v;
      next.u[i] = u + du * laplacian(old.u) - reaction + feed * (1 - u);
      next.v[i] = v + dv * laplacian(old.v) + reaction - (feed + kill) * v;
    }
  return next;
}

TEST(GrayScottTest, StepsFollowTheDefinition) {
  for (const int64_t steps : {1, 2, 41}) {
    const Outcome found = run(1, steps);
    for (int64_t s = 0; s < 2; ++s) {
      Fields expected = sample_of(start_fields(), s);
      const GrayScottRates& r = rates()[s];
      for (int64_t n = 0; n < steps; ++n)
        expected = step(expected, double(r.feed), double(r.kill), double(r.diffusion_u),
                        double(r.diffusion_v));
      const auto u = found.fields.begin() + s * 2 * kCells;
      // A step rounds numbers and factors below 1 a few times, 2^-24 at most each.
      expect_close(std::vector<float>(u, u + kCells), expected.u, 2e-7 * double(steps));
      expect_close(std::vector<float>(u + kCells, u + 2 * kCells), expected.v,
                   2e-7 * double(steps));
    }
  }
}

TEST(GrayScottTest, BitsDependNeitherOnThreadsNorOnTheInstructionSet) {
  expect_same_bits_everywhere([] {
    Outcome r = run(3, 5);
    r.features.insert(r.features.end(), r.fields.begin(), r.fields.end());
    return r.features;
  });
}

TEST(GrayScottTest, FramesFollowEachOther) {
  const Outcome two = run(2, 3), once = run(1, 6);
  EXPECT_EQ(two.fields, once.fields);
  for (int f = 0; f < kFrameChangeMean; ++f)  // changes are since the frame before
    EXPECT_EQ(two.features[kFrameFeatures + f], once.features[f]) << f;
}

TEST(GrayScottTest, FramesBeyondTheLengthAreZeroAndNotComputed) {
  const Outcome shorter = run(4, 2, {1, 4}), whole = run(4, 2), one = run(1, 2);
  const auto row = [](const Outcome& r, int64_t s, int64_t t, int64_t frames) {
    const auto begin = r.features.begin() + (s * frames + t) * kFrameFeatures;
    return std::vector<float>(begin, begin + kFrameFeatures);
  };
  EXPECT_EQ(row(shorter, 0, 0, 4), row(whole, 0, 0, 4));
  for (int64_t t = 1; t < 4; ++t) {
    EXPECT_EQ(row(shorter, 0, t, 4), std::vector<float>(kFrameFeatures, 0)) << t;
    EXPECT_EQ(row(shorter, 1, t, 4), row(whole, 1, t, 4)) << t;
  }
  EXPECT_TRUE(
      std::equal(shorter.fields.begin(), shorter.fields.begin() + 2 * kCells, one.fields.begin()));
}

TEST(GrayScottTest, DyingFieldsBecomeZero) {
  std::vector<float> fields(2 * kCells, 1.0f), features(kFrameFeatures);
  std::fill(fields.begin() + kCells, fields.end(), 1e-3f);
  const GrayScottRates dying = {0.05f, 0.07f, 0.2f, 0.1f};
  gray_scott(cpu_context(), {fields.data(), &dying, nullptr, features.data(), 1, 1, 500});
  EXPECT_EQ(std::count(fields.begin() + kCells, fields.end(), 0.0f), kCells);
}

}  // namespace
}  // namespace tessera
