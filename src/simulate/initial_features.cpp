// Formulas in tessera/simulate.h. Binary64 and portable functions throughout: the same bits on every
// machine.

#include <algorithm>
#include <cmath>

#include "simulate/grid_spectrum.h"
#include "tessera/error.h"
#include "tessera/kernels/portable_math.h"
#include "tessera/simulate.h"

namespace tessera {
namespace {

struct Grid {
  std::vector<double> values;
  int64_t height, width;

  double at(int64_t y, int64_t x) const { return values[static_cast<size_t>(y * width + x)]; }
  /// 0 outside.
  double padded(int64_t y, int64_t x) const {
    return y >= 0 && y < height && x >= 0 && x < width ? at(y, x) : 0;
  }
  double size() const { return static_cast<double>(values.size()); }
  double sum() const {
    double total = 0;
    for (const double v : values) total += v;
    return total;
  }
  template <class F>
  Grid map(F&& f) const {
    Grid result = *this;
    for (double& v : result.values) v = f(v);
    return result;
  }
  /// f(y, x) for every pixel.
  template <class F>
  Grid made_by(F&& f) const {
    Grid result = *this;
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x)
        result.values[static_cast<size_t>(y * width + x)] = f(y, x);
    return result;
  }
};

/// The largest value in a window of `side` around each pixel; nothing outside counts.
Grid max_pool(const Grid& grid, int64_t side) {
  const int64_t reach = side / 2;
  const Grid rows = grid.made_by([&](int64_t y, int64_t x) {
    double most = grid.at(y, x);
    for (int64_t j = std::max<int64_t>(0, x - reach); j <= std::min(grid.width - 1, x + reach); ++j)
      most = std::max(most, grid.at(y, j));
    return most;
  });
  return grid.made_by([&](int64_t y, int64_t x) {
    double most = rows.at(y, x);
    for (int64_t i = std::max<int64_t>(0, y - reach); i <= std::min(grid.height - 1, y + reach);
         ++i)
      most = std::max(most, rows.at(i, x));
    return most;
  });
}

Grid above_median(const Grid& grid) {
  std::vector<double> sorted = grid.values;
  const auto middle = sorted.begin() + static_cast<int64_t>((sorted.size() - 1) / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return grid.map([median = *middle](double v) { return v > median ? 1.0 : 0.0; });
}

double negated(double v) { return -v; }

double cluster_count(const Grid& binary) {
  const Grid eroded = max_pool(binary.map(negated), 3).map(negated);
  const Grid most = max_pool(eroded, 5);
  double peaks = 0;
  for (size_t i = 0; i < eroded.values.size(); ++i)
    peaks += eroded.values[i] == most.values[i] && eroded.values[i] > 0.5 ? 1 : 0;
  return math::portable_log(1 + peaks);
}

double autocorrelation(const Grid& grid) {
  const Grid c = grid.map([mean = grid.sum() / grid.size()](double v) { return v - mean; });
  double lagged = 0, squares = 0;
  for (int64_t y = 0; y < c.height; ++y)
    for (int64_t x = 0; x < c.width; ++x) {
      const double around =
          c.padded(y - 1, x) + c.padded(y + 1, x) + c.padded(y, x - 1) + c.padded(y, x + 1);
      lagged += c.at(y, x) * (around / 4);
      squares += c.at(y, x) * c.at(y, x);
    }
  return std::clamp(lagged / (squares + 1e-6), -1.0, 1.0);
}

double centroid_distance(const Grid& grid) {
  const auto place = [](int64_t i, int64_t count) {
    return count > 1 ? static_cast<double>(i) / static_cast<double>(count - 1) : 0.0;
  };
  double total = 0, sum_y = 0, sum_x = 0;
  for (int64_t y = 0; y < grid.height; ++y)
    for (int64_t x = 0; x < grid.width; ++x) {
      const double weight = std::abs(grid.at(y, x));
      total += weight;
      sum_y += weight * place(y, grid.height);
      sum_x += weight * place(x, grid.width);
    }
  if (total == 0) return 0;
  const double dy = sum_y / total - 0.5, dx = sum_x / total - 0.5;
  return std::clamp(std::sqrt(dy * dy + dx * dx) / std::sqrt(0.5), 0.0, 1.0);
}

/// Logarithm of the frequency of each component of power_spectrum(), in cycles per pixel.
std::vector<double> log_frequencies(int64_t height, int64_t width) {
  std::vector<double> logs;
  for (int64_t m = 0; m < height; ++m)
    for (int64_t k = 0; k < width / 2 + 1; ++k) {
      const double ky = static_cast<double>(std::min(m, height - m)) / static_cast<double>(height);
      const double kx = static_cast<double>(k) / static_cast<double>(width);
      logs.push_back(math::portable_log(std::sqrt(ky * ky + kx * kx) + 1e-8));
    }
  return logs;
}

/// Minus the slope of log power over log frequency, the first component left out.
double spectral_slope(const std::vector<double>& power, int64_t height, int64_t width) {
  const std::vector<double> log_k = log_frequencies(height, width);
  std::vector<double> log_p;
  for (const double p : power) log_p.push_back(math::portable_log(p + 1e-8));
  const double count = static_cast<double>(power.size() - 1);
  double mean_k = 0, mean_p = 0, both = 0, squares = 0;
  for (size_t i = 1; i < power.size(); ++i) {
    mean_k += log_k[i] / count;
    mean_p += log_p[i] / count;
  }
  for (size_t i = 1; i < power.size(); ++i) {
    both += (log_k[i] - mean_k) * (log_p[i] - mean_p);
    squares += (log_k[i] - mean_k) * (log_k[i] - mean_k);
  }
  return std::clamp(-both / (squares + 1e-6), -5.0, 5.0);
}

struct SpectralFeatures {
  double dominant, centroid, slope;
};

SpectralFeatures spectral_features(const Grid& grid) {
  const std::vector<double> power = power_spectrum(grid.values, grid.height, grid.width);
  const double bins = static_cast<double>(power.size());
  double total = 0, moment = 0;
  for (size_t i = 0; i < power.size(); ++i) {
    total += power[i];
    moment += power[i] * static_cast<double>(i);
  }
  // Components of equal power, as a single pixel has them all, differ by rounding.
  const double largest = *std::max_element(power.begin(), power.end()) * (1 - 1e-12);
  const auto is_largest = [largest](double p) { return p >= largest; };
  const auto peak = std::find_if(power.begin(), power.end(), is_largest) - power.begin();
  return {static_cast<double>(peak) / bins, moment / (total + 1e-6) / bins,
          spectral_slope(power, grid.height, grid.width)};
}

double entropy(const Grid& grid) {
  constexpr int kBins = 32;
  const auto [low, high] = std::minmax_element(grid.values.begin(), grid.values.end());
  int64_t counts[kBins] = {};
  for (const double v : grid.values) {
    const double scaled = (v - *low) / (*high - *low + 1e-8);
    ++counts[std::min(kBins - 1, static_cast<int>(scaled * kBins))];
  }
  double sum = 0;
  for (const int64_t count : counts) {
    const double p = static_cast<double>(count) / grid.size();
    sum -= p * math::portable_log(p + 1e-10);
  }
  return sum / math::portable_log(kBins);
}

/// Unbiased; 0 for fewer than two values.
double variance(const std::vector<double>& values) {
  if (values.size() < 2) return 0;
  const double count = static_cast<double>(values.size());
  double mean = 0, squares = 0;
  for (const double v : values) mean += v / count;
  for (const double v : values) squares += (v - mean) * (v - mean);
  return squares / (count - 1);
}

double local_variance(const Grid& grid) {
  constexpr int64_t kPatch = 8, kStride = 4;
  std::vector<double> variances, patch;
  for (int64_t y = 0; y + kPatch <= grid.height; y += kStride)
    for (int64_t x = 0; x + kPatch <= grid.width; x += kStride) {
      patch.clear();
      for (int64_t i = 0; i < kPatch; ++i)
        for (int64_t j = 0; j < kPatch; ++j) patch.push_back(grid.at(y + i, x + j));
      variances.push_back(variance(patch));
    }
  return variance(variances);
}

double complexity(const Grid& binary) {
  double changes = 0;
  for (size_t i = 1; i < binary.values.size(); ++i)
    changes += binary.values[i] != binary.values[i - 1] ? 1 : 0;
  return changes / binary.size();
}

double correlation_size(const Grid& a, const Grid& b) {
  const double mean_a = a.sum() / a.size(), mean_b = b.sum() / b.size();
  double both = 0, square_a = 0, square_b = 0;
  for (size_t i = 0; i < a.values.size(); ++i) {
    const double da = a.values[i] - mean_a, db = b.values[i] - mean_b;
    both += da * db;
    square_a += da * da;
    square_b += db * db;
  }
  return std::abs(both / (std::sqrt(square_a * square_b) + 1e-6));
}

double predictability(const Grid& grid) {
  const Grid moved = grid.made_by(
      [&](int64_t y, int64_t x) { return grid.at(y, (x + grid.width - 1) % grid.width); });
  return std::min(1.0, correlation_size(grid, moved));
}

double gradient(const Grid& grid) {
  double sum = 0;
  for (int64_t y = 0; y < grid.height; ++y)
    for (int64_t x = 0; x < grid.width; ++x) {
      const auto u = [&](int64_t dy, int64_t dx) { return grid.padded(y + dy, x + dx); };
      const double gx = u(-1, 1) - u(-1, -1) + 2 * (u(0, 1) - u(0, -1)) + u(1, 1) - u(1, -1);
      const double gy = u(1, -1) - u(-1, -1) + 2 * (u(1, 0) - u(-1, 0)) + u(1, 1) - u(-1, 1);
      sum += std::sqrt(gx * gx + gy * gy);
    }
  return sum / grid.size();
}

Grid quarter_turn(const Grid& grid) {
  const Grid turned = {grid.values, grid.width, grid.height};
  return turned.made_by([&](int64_t y, int64_t x) { return grid.at(x, grid.width - 1 - y); });
}

double symmetry(const Grid& grid) {
  double sum = 0;
  int turns = 0;
  Grid turned = grid;
  for (int k = 1; k <= 3; ++k) {
    turned = quarter_turn(turned);
    if (turned.height != grid.height) continue;
    sum += correlation_size(grid, turned);
    ++turns;
  }
  return std::min(1.0, sum / turns);
}

}  // namespace

const std::vector<std::string>& initial_feature_names() {
  static const std::vector<std::string> names = {
      "cluster_count",      "largest_cluster",   "autocorrelation", "centroid_distance",
      "dominant_frequency", "spectral_centroid", "spectral_slope",  "entropy",
      "local_variance",     "complexity",        "predictability",  "density",
      "gradient",           "symmetry"};
  return names;
}

std::vector<double> initial_features(std::span<const float> values, int64_t height, int64_t width) {
  TESSERA_CHECK(height > 0 && width > 0 && values.size() == static_cast<size_t>(height * width),
                "initial_features: ", values.size(), " values for ", height, " x ", width);
  const Grid grid = {{values.begin(), values.end()}, height, width};
  const Grid binary = above_median(grid);
  const double set = binary.sum();
  const SpectralFeatures spectrum = spectral_features(grid);
  return {cluster_count(binary), std::clamp(max_pool(binary, 11).sum() / (set + 1e-6), 0.0, 1.0),
          autocorrelation(grid), centroid_distance(grid),
          spectrum.dominant,     spectrum.centroid,
          spectrum.slope,        entropy(grid),
          local_variance(grid),  complexity(binary),
          predictability(grid),  set / grid.size(),
          gradient(grid),        symmetry(grid)};
}

}  // namespace tessera
