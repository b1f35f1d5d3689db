// The 14 features against a second definition of each, written from the formulas alone.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <functional>
#include <numeric>

#include "tessera/simulate.h"
#include "testing/numbers.h"

namespace tessera {
namespace {

struct Picture {
  const char* name;
  int64_t height, width;
  std::vector<float> values;
};

/// u over [h, w] from a formula.
Picture picture(const char* name, int64_t h, int64_t w,
                const std::function<double(int64_t, int64_t)>& f) {
  Picture p{name, h, w, {}};
  for (int64_t y = 0; y < h; ++y)
    for (int64_t x = 0; x < w; ++x) p.values.push_back(static_cast<float>(f(y, x)));
  return p;
}

Picture noise(const char* name, int64_t h, int64_t w, uint64_t seed) {
  return {name, h, w, testing::uniform<float>(h * w, seed)};
}

std::vector<Picture> pictures() {
  const auto waves = [](int64_t y, int64_t x) {
    return std::sin(0.7 * double(x)) + 0.3 * std::cos(0.4 * double(y));
  };
  return {
      noise("noise", 64, 64, 1),
      picture("waves", 64, 64, waves),
      picture("constant", 64, 64, [](auto, auto) { return 0.25; }),
      picture("zero", 16, 16, [](auto, auto) { return 0.0; }),
      picture("single_pixel", 64, 64, [](auto y, auto x) { return y == 20 && x == 41; }),
      picture("checkerboard", 64, 64, [](auto y, auto x) { return (y + x) % 2; }),
      picture("one_by_one", 1, 1, [](auto, auto) { return 0.7; }),
      noise("wide", 24, 40, 2),
      noise("tall", 33, 17, 3),
      noise("row", 1, 30, 4),
      noise("column", 30, 1, 5),
      noise("one_patch", 8, 8, 6),
      noise("small", 3, 5, 7),
      picture("blob", 32, 32, [](auto y, auto x) { return std::hypot(y - 9.0, x - 20.0) < 6.5; })};
}

class Definition {
 public:
  explicit Definition(const Picture& p)
      : h_(p.height), w_(p.width), u_(p.values.begin(), p.values.end()) {
    std::vector<double> sorted = u_;
    std::sort(sorted.begin(), sorted.end());
    for (const double v : u_) binary_.push_back(v > sorted[(sorted.size() - 1) / 2]);
  }

  std::vector<double> all() {
    std::vector<double> f = {cluster_count(), largest_cluster(), moran(), centroid()};
    const std::vector<double> p = power();
    const double bins = double(p.size());
    const double most = *std::max_element(p.begin(), p.end());
    size_t peak = 0;
    while (p[peak] < most - 1e-12 * most) ++peak;
    f.push_back(double(peak) / bins);
    double total = 0, moment = 0;
    for (size_t i = 0; i < p.size(); ++i) {
      total += p[i];
      moment += p[i] * double(i);
    }
    f.push_back(moment / (total + 1e-6) / bins);
    f.push_back(slope(p));
    f.insert(f.end(),
             {entropy(), local_variance(), changes(), roll(), density(), sobel(), symmetry()});
    return f;
  }

 private:
  double n() const { return double(h_ * w_); }
  bool inside(int64_t y, int64_t x) const { return y >= 0 && y < h_ && x >= 0 && x < w_; }
  double u(int64_t y, int64_t x) const { return inside(y, x) ? u_[y * w_ + x] : 0; }

  /// Extreme of a square window of `field` around a pixel, over what lies inside.
  double window(const std::vector<double>& field, int64_t y, int64_t x, int reach,
                bool largest) const {
    double best = field[y * w_ + x];
    for (int64_t i = y - reach; i <= y + reach; ++i)
      for (int64_t j = x - reach; j <= x + reach; ++j)
        if (inside(i, j))
          best = largest ? std::max(best, field[i * w_ + j]) : std::min(best, field[i * w_ + j]);
    return best;
  }
  double cluster_count() const {
    std::vector<double> eroded;
    for (int64_t i = 0; i < h_ * w_; ++i)
      eroded.push_back(window(binary_, i / w_, i % w_, 1, false));
    double peaks = 0;
    for (int64_t i = 0; i < h_ * w_; ++i)
      peaks += eroded[i] == window(eroded, i / w_, i % w_, 2, true) && eroded[i] > 0.5;
    return std::log(1 + peaks);
  }
  double largest_cluster() const {
    double grown = 0, set = 0;
    for (int64_t i = 0; i < h_ * w_; ++i) {
      grown += window(binary_, i / w_, i % w_, 5, true);
      set += binary_[i];
    }
    return std::clamp(grown / (set + 1e-6), 0.0, 1.0);
  }
  double mean() const { return std::accumulate(u_.begin(), u_.end(), 0.0) / n(); }
  double moran() const {
    double top = 0, bottom = 0;
    const auto c = [&](int64_t y, int64_t x) { return inside(y, x) ? u(y, x) - mean_ : 0; };
    mean_ = mean();
    for (int64_t y = 0; y < h_; ++y)
      for (int64_t x = 0; x < w_; ++x) {
        top += c(y, x) * 0.25 * (c(y - 1, x) + c(y + 1, x) + c(y, x - 1) + c(y, x + 1));
        bottom += c(y, x) * c(y, x);
      }
    return std::clamp(top / (bottom + 1e-6), -1.0, 1.0);
  }
  double centroid() const {
    double weight = 0, sy = 0, sx = 0;
    for (int64_t y = 0; y < h_; ++y)
      for (int64_t x = 0; x < w_; ++x) {
        weight += std::abs(u(y, x));
        sy += h_ > 1 ? std::abs(u(y, x)) * double(y) / double(h_ - 1) : 0;
        sx += w_ > 1 ? std::abs(u(y, x)) * double(x) / double(w_ - 1) : 0;
      }
    if (weight == 0) return 0;
    return std::clamp(std::hypot(sy / weight - 0.5, sx / weight - 0.5) / (std::sqrt(2.0) / 2), 0.0,
                      1.0);
  }
  std::vector<double> power() const {
    std::vector<double> result;
    const auto turn = [](int64_t k, int64_t size) {
      return std::polar(1.0, -6.283185307179586476925 * double(k % size) / double(size));
    };
    for (int64_t l = 0; l < h_; ++l)
      for (int64_t k = 0; k <= w_ / 2; ++k) {
        std::complex<double> sum = 0;
        for (int64_t y = 0; y < h_; ++y) {
          std::complex<double> row = 0;
          for (int64_t x = 0; x < w_; ++x) row += u(y, x) * turn(k * x, w_);
          sum += row * turn(l * y, h_);
        }
        result.push_back(std::norm(sum));
      }
    return result;
  }
  double slope(const std::vector<double>& p) const {
    std::vector<double> a, b;
    for (int64_t l = 0; l < h_; ++l)
      for (int64_t k = 0; k <= w_ / 2; ++k) {
        if (l == 0 && k == 0) continue;
        const double fy = double(l <= h_ / 2 ? l : l - h_) / double(h_),
                     fx = double(k) / double(w_);
        a.push_back(std::log(std::hypot(fx, fy) + 1e-8));
        b.push_back(std::log(p[l * (w_ / 2 + 1) + k] + 1e-8));
      }
    const double ma = a.empty() ? 0 : std::accumulate(a.begin(), a.end(), 0.0) / double(a.size());
    const double mb = a.empty() ? 0 : std::accumulate(b.begin(), b.end(), 0.0) / double(b.size());
    double ab = 0, aa = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      ab += (a[i] - ma) * (b[i] - mb);
      aa += (a[i] - ma) * (a[i] - ma);
    }
    return std::clamp(-ab / (aa + 1e-6), -5.0, 5.0);
  }
  double entropy() const {
    const double low = *std::min_element(u_.begin(), u_.end());
    const double range = *std::max_element(u_.begin(), u_.end()) - low + 1e-8;
    std::vector<double> bins(32);
    for (const double v : u_)
      bins[static_cast<size_t>(std::min(31.0, std::floor((v - low) / range * 32)))] += 1;
    double sum = 0;
    for (const double b : bins) sum -= b / n() * std::log2(b / n() + 1e-10);
    return sum / 5;
  }
  static double unbiased(const std::vector<double>& x) {
    if (x.size() < 2) return 0;
    const double m = std::accumulate(x.begin(), x.end(), 0.0) / double(x.size());
    double sum = 0;
    for (const double v : x) sum += (v - m) * (v - m);
    return sum / double(x.size() - 1);
  }
  double local_variance() const {
    std::vector<double> patches;
    for (int64_t y = 0; y <= h_ - 8; y += 4)
      for (int64_t x = 0; x <= w_ - 8; x += 4) {
        std::vector<double> patch;
        for (int64_t i = 0; i < 64; ++i) patch.push_back(u(y + i / 8, x + i % 8));
        patches.push_back(unbiased(patch));
      }
    return unbiased(patches);
  }
  double changes() const {
    double count = 0;
    for (size_t i = 0; i + 1 < binary_.size(); ++i) count += binary_[i] != binary_[i + 1];
    return count / n();
  }
  double correlation(const std::function<double(int64_t, int64_t)>& other) const {
    double mb = 0, ab = 0, aa = 0, bb = 0;
    const double ma = mean();
    for (int64_t i = 0; i < h_ * w_; ++i) mb += other(i / w_, i % w_) / n();
    for (int64_t i = 0; i < h_ * w_; ++i) {
      const double a = u_[i] - ma, b = other(i / w_, i % w_) - mb;
      ab += a * b;
      aa += a * a;
      bb += b * b;
    }
    return std::abs(ab / (std::sqrt(aa) * std::sqrt(bb) + 1e-6));
  }
  double roll() const {
    return std::min(
        1.0, correlation([&](int64_t y, int64_t x) { return u(y, x == 0 ? w_ - 1 : x - 1); }));
  }
  double density() const { return std::accumulate(binary_.begin(), binary_.end(), 0.0) / n(); }
  double sobel() const {
    const int across[3][3] = {{-1, 0, 1}, {-2, 0, 2}, {-1, 0, 1}};
    double sum = 0;
    for (int64_t y = 0; y < h_; ++y)
      for (int64_t x = 0; x < w_; ++x) {
        double gx = 0, gy = 0;
        for (int i = 0; i < 3; ++i)
          for (int j = 0; j < 3; ++j) {
            gx += across[i][j] * u(y + i - 1, x + j - 1);
            gy += across[j][i] * u(y + i - 1, x + j - 1);
          }
        sum += std::hypot(gx, gy);
      }
    return sum / n();
  }
  double symmetry() const {
    const double half =
        correlation([&](int64_t y, int64_t x) { return u(h_ - 1 - y, w_ - 1 - x); });
    if (h_ != w_) return std::min(1.0, half);
    const double left = correlation([&](int64_t y, int64_t x) { return u(x, w_ - 1 - y); });
    const double right = correlation([&](int64_t y, int64_t x) { return u(h_ - 1 - x, y); });
    return std::min(1.0, (left + half + right) / 3);
  }

  int64_t h_, w_;
  std::vector<double> u_, binary_;
  mutable double mean_ = 0;
};

TEST(InitialFeaturesTest, FollowTheirDefinition) {
  for (const Picture& p : pictures()) {
    SCOPED_TRACE(p.name);
    const std::vector<double> found = initial_features(p.values, p.height, p.width);
    std::vector<double> expected = Definition(p).all();
    // Where the spectrum is empty but for one component, log(1e-8 + rounding) has no digits of the
    // power left that two correct programs share beyond these.
    testing::expect_close(found, expected, 1e-7);
  }
}

TEST(InitialFeaturesTest, AreFiniteOnEveryGrid) {
  for (const Picture& p : pictures())
    for (const double value : initial_features(p.values, p.height, p.width))
      EXPECT_TRUE(std::isfinite(value)) << p.name;
}

TEST(InitialFeaturesTest, KnownValuesOfSimpleGrids) {
  const Picture board = picture("board", 64, 64, [](auto y, auto x) { return (y + x) % 2; });
  const std::vector<double> f = initial_features(board.values, 64, 64);
  EXPECT_EQ(f[0], 0);           // no 3 x 3 neighbourhood is set
  EXPECT_EQ(f[4], 0);           // the mean ties with the highest frequency, which is later
  EXPECT_NEAR(f[10], 1, 1e-9);  // predicted, with the other sign
  EXPECT_NEAR(f[11], 0.5, 1e-12);
  EXPECT_NEAR(f[9], 63.0 * 64 / 4096, 1e-12);  // no change from row end to row start
}

TEST(InitialFeaturesTest, EveryFeatureHasAName) {
  EXPECT_EQ(initial_feature_names().size(), 14u);
  EXPECT_EQ(initial_features(std::vector<float>(16), 4, 4).size(), 14u);
}

}  // namespace
}  // namespace tessera
