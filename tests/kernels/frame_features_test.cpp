// What is measured in a frame, against a second definition of each.

#include <algorithm>
#include <cmath>
#include <complex>
#include <functional>
#include <vector>

#include "kernels/gray_scott_cases.h"

namespace tessera {
namespace {

using namespace tessera::testing;

TEST(FrameFeaturesTest, UniformFieldsHaveNoMomentsAndNoSpectrum) {
  std::vector<float> fields(2 * kCells, 0.3f), features(kFrameFeatures, -1);
  gray_scott(cpu_context(), {fields.data(), rates().data(), nullptr, features.data(), 1, 1, 0});
  EXPECT_FLOAT_EQ(features[kFrameVMean], 0.3f);
  EXPECT_FLOAT_EQ(features[kFrameActiveArea], 1.0f);
  for (int f : {int{kFrameVSkewness}, int{kFrameCorrelation}, int{kFrameGradientEnergy},
                int{kFrameFrontLength}, int{kFrameEuler}, int{kFrameEntropy}})
    EXPECT_EQ(features[f], 0) << f;
  for (int f = kFrameBand0; f <= kFrameWavelength; ++f) EXPECT_EQ(features[f], 0) << f;
}

/// One unit of power at 7 waves across: all of it in one band, the wave is 64 / 7 cells long.
TEST(FrameFeaturesTest, AWaveIsFoundAtItsLength) {
  std::vector<float> fields(2 * kCells, 0.3f), features(kFrameFeatures, -1);
  for (int64_t i = 0; i < kCells; ++i)
    fields[kCells + i] +=
        float(0.1 * std::cos(6.28318530717958648 * 7 * double(i % kSide) / kSide));
  gray_scott(cpu_context(), {fields.data(), rates().data(), nullptr, features.data(), 1, 1, 0});
  EXPECT_NEAR(features[kFrameBand0 + 3], 1, 1e-6);
  EXPECT_NEAR(features[kFrameCentroid], 7, 1e-5);
  EXPECT_NEAR(features[kFrameWavelength], 64.0 / 7, 1e-4);
  EXPECT_NEAR(features[kFrameAnisotropy], 1, 1e-5);
}

/// Two bars of active cells around the torus and a block with a hole: Euler number 0 + 0 + 0, then
/// with the hole filled 1.
TEST(FrameFeaturesTest, EulerNumberCountsPiecesMinusHoles) {
  std::vector<float> fields(2 * kCells, 0.0f), features(kFrameFeatures);
  const auto v = [&](int64_t y, int64_t x) -> float& { return fields[kCells + Fields::at(y, x)]; };
  for (int64_t x = 0; x < kSide; ++x) v(3, x) = v(50, x) = 0.2f;
  for (int64_t y = 20; y < 27; ++y)
    for (int64_t x = 60; x < 67; ++x) v(y, x) = 0.2f;
  v(23, 63) = 0;
  const auto measure = [&] {
    gray_scott(cpu_context(), {fields.data(), rates().data(), nullptr, features.data(), 1, 1, 0});
    return features[kFrameEuler];
  };
  EXPECT_EQ(measure(), 0);
  v(23, 63) = 0.2f;
  EXPECT_EQ(measure(), 1);
  v(10, 10) = 0.3f;
  EXPECT_EQ(measure(), 2);
  EXPECT_FLOAT_EQ(features[kFrameHighArea], 1.0f / kCells);
  EXPECT_FLOAT_EQ(features[kFrameFrontLength], (2 * 128 + 28 + 4) / float(kCells));
}

double mean_of(int64_t count, const std::function<double(int64_t)>& f) {
  double sum = 0;
  for (int64_t i = 0; i < count; ++i) sum += f(i);
  return sum / double(count);
}

/// Power of v - <v> by radius, from the definition of the transform; components below 32 alone.
std::vector<double> shells_of(const std::vector<double>& v, double mean) {
  std::vector<std::complex<double>> across(static_cast<size_t>(kCells));
  const auto turn = [](int64_t n) {
    return std::polar(1.0, -6.28318530717958648 * double(n % kSide) / kSide);
  };
  for (int64_t y = 0; y < kSide; ++y)
    for (int64_t k = 0; k < kSide; ++k)
      for (int64_t x = 0; x < kSide; ++x)
        across[y * kSide + k] += (v[y * kSide + x] - mean) * turn(k * x);
  std::vector<double> shells(45);
  for (int64_t l = -31; l < 32; ++l)
    for (int64_t k = -31; k < 32; ++k) {
      std::complex<double> sum = 0;
      for (int64_t y = 0; y < kSide; ++y)
        sum += across[y * kSide + (k + kSide) % kSide] * turn((l + kSide) * y);
      shells[static_cast<size_t>(std::lround(std::hypot(double(k), double(l))))] += std::norm(sum);
    }
  return shells;
}

/// The features of one sample in binary64, but changes and spectrum.
std::vector<double> expected_features(const Fields& f) {
  const auto mean = [&](const std::function<double(size_t)>& g) {
    return mean_of(kCells, [&](int64_t i) { return g(static_cast<size_t>(i)); });
  };
  const auto v = [&](int64_t i, int64_t dy, int64_t dx) {
    return f.v[Fields::at(i / kSide + dy, i % kSide + dx)];
  };
  const double mu = mean([&](size_t i) { return f.u[i]; }),
               mv = mean([&](size_t i) { return f.v[i]; });
  const auto moment = [&](int n) {
    return mean([&](size_t i) { return std::pow(f.v[i] - mv, n); });
  };
  const double su = std::sqrt(mean([&](size_t i) { return std::pow(f.u[i] - mu, 2); }));
  const double sv = std::sqrt(moment(2));
  const auto gx = [&](int64_t i) { return (v(i, 0, 1) - v(i, 0, -1)) / 2; };
  const auto gy = [&](int64_t i) { return (v(i, 1, 0) - v(i, -1, 0)) / 2; };
  const double xx = mean_of(kCells, [&](int64_t i) { return gx(i) * gx(i); });
  const double yy = mean_of(kCells, [&](int64_t i) { return gy(i) * gy(i); });
  const double xy = mean_of(kCells, [&](int64_t i) { return gx(i) * gy(i); });
  const auto size = [&](int64_t i) { return std::hypot(gx(i), gy(i)); };
  double steepest = 0;
  for (int64_t i = 0; i < kCells; ++i) steepest = std::max(steepest, size(i));
  const auto on = [&](int64_t i, int64_t dy, int64_t dx) { return v(i, dy, dx) > double(0.15f); };
  const double rows = mean_of(kCells, [&](int64_t i) { return on(i, 0, 0) != on(i, 0, 1); });
  const double columns = mean_of(kCells, [&](int64_t i) { return on(i, 0, 0) != on(i, 1, 0); });
  const double euler = mean_of(kCells, [&](int64_t i) {
    const int a = on(i, 0, 0), b = on(i, 0, 1), c = on(i, 1, 0), d = on(i, 1, 1);
    return a - (a & b) - (a & c) + (a & b & c & d);
  });
  std::vector<double> bins(32);
  for (const double value : f.v)
    bins[static_cast<size_t>(std::min(31.0, std::floor(value * 64)))] += 1;
  double entropy = 0;
  for (const double n : bins)
    if (n > 0) entropy -= n / kCells * std::log(n / kCells);
  return {mv,
          sv,
          moment(3) / std::pow(sv, 3),
          moment(4) / std::pow(sv, 4) - 3,
          *std::ranges::min_element(f.v),
          *std::ranges::max_element(f.v),
          mu,
          su,
          *std::ranges::min_element(f.u),
          *std::ranges::max_element(f.u),
          mean([&](size_t i) { return (f.u[i] - mu) * (f.v[i] - mv); }) / (su * sv),
          mean([&](size_t i) { return f.u[i] * f.v[i] * f.v[i]; }),
          mean_of(kCells, size),
          steepest,
          xx + yy,
          std::hypot(xx - yy, 2 * xy) / (xx + yy),
          std::sqrt(mean_of(kCells,
                            [&](int64_t i) {
                              return std::pow(v(i, 0, 1) + v(i, 0, -1) + v(i, 1, 0) + v(i, -1, 0) -
                                                  4 * v(i, 0, 0),
                                              2);
                            })),
          mean_of(kCells, [&](int64_t i) { return on(i, 0, 0); }),
          mean([&](size_t i) { return f.v[i] > 0.25; }),
          rows + columns,
          (rows - columns) / (rows + columns),
          euler * kCells,
          entropy / std::log(32.0)};
}

TEST(FrameFeaturesTest, FeaturesOfAFrameFollowTheirDefinition) {
  const Outcome found = run(1, 0);
  for (int64_t s = 0; s < 2; ++s) {
    const std::vector<double> expected = expected_features(sample_of(start_fields(), s));
    ASSERT_EQ(expected.size(), size_t{kFrameBand0});
    const float* features = found.features.data() + s * kFrameFeatures;
    // 256 float additions a lane, and the fourth moment is divided by the square of the second.
    expect_close(std::vector<float>(features, features + kFrameBand0), expected, 1e-4, 1e-2);
  }
}

TEST(FrameFeaturesTest, SpectrumOfAFrameFollowsItsDefinition) {
  const Outcome found = run(1, 0);
  const Fields f = sample_of(start_fields(), 1);
  const std::vector<double> shells =
      shells_of(f.v, mean_of(kCells, [&](int64_t i) { return f.v[i]; }));
  double total = 0, moment = 0, entropy = 0;
  for (size_t r = 1; r < shells.size(); ++r) {
    total += shells[r];
    moment += double(r) * shells[r];
  }
  for (size_t r = 1; r < shells.size(); ++r)
    entropy -= shells[r] / total * std::log(shells[r] / total) / std::log(44.0);
  const int last[] = {2, 4, 6, 8, 11, 15, 22, 44};
  std::vector<double> expected;
  for (int b = 0, r = 1; b < 8; ++b) {
    double band = 0;
    for (; r <= last[b]; ++r) band += shells[r];
    expected.push_back(band / total);
  }
  const auto peak = std::max_element(shells.begin() + 1, shells.end()) - shells.begin();
  double around = 0, weighted = 0;
  for (auto r = std::max<int64_t>(1, peak - 1); r <= peak + 1; ++r) {
    around += shells[r];
    weighted += double(r) * shells[r];
  }
  expected.insert(expected.end(), {moment / total, entropy, 64 * around / weighted});
  const float* features = found.features.data() + kFrameFeatures;
  expect_close(std::vector<float>(features + kFrameBand0, features + kFrameWavelength + 1),
               expected, 1e-5);
}

TEST(FrameFeaturesTest, ChangesAreSinceTheFrameBefore) {
  const Outcome one = run(1, 4), two = run(2, 4);
  const Fields before = sample_of(one.fields, 0), after = sample_of(two.fields, 0);
  const auto change = [&](int64_t i) { return std::abs(after.v[i] - before.v[i]); };
  const double rms = std::sqrt(mean_of(kCells, [&](int64_t i) { return change(i) * change(i); }));
  EXPECT_NEAR(two.features[kFrameFeatures + kFrameChangeMean], mean_of(kCells, change), 1e-6);
  EXPECT_NEAR(two.features[kFrameFeatures + kFrameChangeRms], rms, 1e-6);
}

}  // namespace
}  // namespace tessera
