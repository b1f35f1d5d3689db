// Category discovery and cleaning at 500 features of 50,000 rows, and their parts.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "bench/bench.h"
#include "tessera/cleaning.h"
#include "tessera/discovery.h"

namespace tessera::bench {
namespace {

constexpr int64_t kRows = 50000, kFeatures = 500, kGroups = 20, kLeastCut = 2, kMostCut = 25;

/// Feature i is half its group's latent (i mod kGroups), half noise of its own.
struct Data {
  FeatureMatrix features;
  std::vector<int32_t> rows;

  Data() {
    const std::vector<float> noise = random_values(kRows * kFeatures, 1);
    const std::vector<float> latents = random_values(kRows * kGroups, 2);
    features.rows = kRows;
    features.values.resize(kRows * kFeatures);
    for (int64_t n = 0; n < kRows; ++n)
      for (int64_t i = 0; i < kFeatures; ++i)
        features.values[n * kFeatures + i] =
            noise[n * kFeatures + i] + latents[n * kGroups + i % kGroups];
    for (int64_t i = 0; i < kFeatures; ++i) {
      features.names.push_back(std::to_string(i));
      features.families.push_back("bench");
    }
    rows.resize(kRows);
    std::iota(rows.begin(), rows.end(), 0);
  }
  MatrixView<const float> view() const {
    return {features.values.data(), kRows, kFeatures, kFeatures};
  }
};

/// One generation of the data serves all cases.
std::shared_ptr<const Data> data() {
  static std::weak_ptr<const Data> kept;
  auto shared = kept.lock();
  if (!shared) kept = shared = std::make_shared<const Data>();
  return shared;
}

double flop() { return static_cast<double>(kRows) * kFeatures * (kFeatures + 1); }
double bytes() { return 4.0 * kRows * kFeatures; }

/// Two features of a group correlate by 1/2, others by nothing.
std::string check_correlation(const SquareMatrix& r) {
  for (int64_t i = 0; i < kFeatures; i += 37)
    for (int64_t j = 0; j < kFeatures; ++j) {
      const double expected = i == j ? 1 : i % kGroups == j % kGroups ? 0.5 : 0;
      if (std::abs(r(i, j) - expected) > 0.03)
        return fmt::format("r({}, {}) is {}, {} is right", i, j, r(i, j), expected);
    }
  return "";
}

Case correlation_case() {
  Case c{"discovery/correlation/50000x500", flop(), bytes(), {}};
  c.prepare = [] {
    const auto result = std::make_shared<SquareMatrix>();
    return Work{[input = data(), result] { *result = correlation_matrix(input->view()); },
                [result] { return check_correlation(*result); }};
  };
  return c;
}

/// Correlation, distance, linkage, and 24 cuts with all three scores.
Case discovery_case() {
  Case c{"discovery/all/50000x500", flop(), bytes(), {}};
  c.prepare = [] {
    const auto scores = std::make_shared<std::vector<CutScore>>();
    return Work{
        [input = data(), scores] {
          const SquareMatrix r = correlation_matrix(input->view());
          const SquareMatrix distances = feature_distances(r, "correlation", kRows);
          *scores = score_cuts(link_features(distances, "ward"), r, distances, kLeastCut, kMostCut);
        },
        [scores]() -> std::string {
          const auto best = std::ranges::max_element(*scores, {}, &CutScore::modularity)->clusters;
          return best == kGroups ? "" : fmt::format("modularity chose {}", best);
        }};
  };
  return c;
}

Case cleaning_case() {
  Case c{"discovery/cleaning/50000x500", flop(), 4 * bytes(), {}};
  c.prepare = [] {
    const auto cleaned = std::make_shared<FeatureMatrix>();
    return Work{[input = data(), cleaned] {
                  const Cleaning cleaning = fit_cleaning(input->features, input->rows, {});
                  *cleaned = apply_cleaning(input->features, cleaning);
                },
                [cleaned]() -> std::string {
                  return cleaned->cols() == kFeatures
                             ? ""
                             : fmt::format("{} features are left", cleaned->cols());
                }};
  };
  return c;
}

}  // namespace

std::vector<Case> discovery_cases() {
  return {correlation_case(), discovery_case(), cleaning_case()};
}

}  // namespace tessera::bench
