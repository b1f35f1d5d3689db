#include "data/discovery/refine.h"

#include <algorithm>
#include <cmath>

#include "tessera/error.h"
#include "tessera/kernels/gumbel.h"
#include "tessera/kernels/philox.h"

namespace tessera::discovery {
namespace {

/// R V of a symmetric R [D, D] and V [D, K].
std::vector<double> product(const SquareMatrix& r, const std::vector<double>& v, int64_t k) {
  std::vector<double> result(v.size());
  for (int64_t i = 0; i < r.size; ++i)
    for (int64_t j = 0; j < r.size; ++j) {
      const double weight = r(i, j);
      for (int64_t c = 0; c < k; ++c) result[i * k + c] += weight * v[j * k + c];
    }
  return result;
}

/// U^T V [K, K] of two [D, K].
std::vector<double> inner(const std::vector<double>& u, const std::vector<double>& v, int64_t k) {
  std::vector<double> result(static_cast<size_t>(k * k));
  for (size_t row = 0; row < u.size(); row += static_cast<size_t>(k))
    for (int64_t a = 0; a < k; ++a)
      for (int64_t b = 0; b < k; ++b) result[a * k + b] += u[row + a] * v[row + b];
  return result;
}

/// U W [D, K] of U [D, K] and W [K, K].
std::vector<double> times(const std::vector<double>& u, const std::vector<double>& w, int64_t k) {
  std::vector<double> result(u.size());
  for (size_t row = 0; row < u.size(); row += static_cast<size_t>(k))
    for (int64_t a = 0; a < k; ++a)
      for (int64_t b = 0; b < k; ++b) result[row + b] += u[row + a] * w[a * k + b];
  return result;
}

/// softmax((logits + noise) / temperature) by rows.
std::vector<double> soft_rows(const std::vector<double>& logits, const std::vector<double>& noise,
                              int64_t k, double temperature) {
  std::vector<double> shares(logits.size());
  for (size_t row = 0; row < logits.size(); row += static_cast<size_t>(k)) {
    double largest = -INFINITY, sum = 0;
    for (int64_t c = 0; c < k; ++c) largest = std::max(largest, logits[row + c] + noise[row + c]);
    for (int64_t c = 0; c < k; ++c)
      sum += shares[row + c] =
          std::exp((logits[row + c] + noise[row + c] - largest) / temperature);
    for (int64_t c = 0; c < k; ++c) shares[row + c] /= sum;
  }
  return shares;
}

/// From the gradient in the shares to that in the logits.
void through_softmax(const std::vector<double>& shares, int64_t k, double temperature,
                     std::vector<double>& gradient) {
  for (size_t row = 0; row < shares.size(); row += static_cast<size_t>(k)) {
    double mean = 0;
    for (int64_t c = 0; c < k; ++c) mean += shares[row + c] * gradient[row + c];
    for (int64_t c = 0; c < k; ++c)
      gradient[row + c] = shares[row + c] * (gradient[row + c] - mean) / temperature;
  }
}

/// Adam, Kingma and Ba 2015, algorithm 1.
class AdamSteps {
 public:
  AdamSteps(size_t size, double rate) : rate_(rate), m_(size), v_(size) {}
  void step(std::vector<double>& values, const std::vector<double>& gradient) {
    constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kEpsilon = 1e-8;
    ++steps_;
    const double first = 1 - std::pow(kBeta1, double(steps_));
    const double second = 1 - std::pow(kBeta2, double(steps_));
    for (size_t i = 0; i < values.size(); ++i) {
      m_[i] = kBeta1 * m_[i] + (1 - kBeta1) * gradient[i];
      v_[i] = kBeta2 * v_[i] + (1 - kBeta2) * gradient[i] * gradient[i];
      values[i] -= rate_ * m_[i] / first / (std::sqrt(v_[i] / second) + kEpsilon);
    }
  }

 private:
  double rate_;
  int64_t steps_ = 0;
  std::vector<double> m_, v_;
};

std::vector<int32_t> hard_rows(const std::vector<double>& logits, int64_t k) {
  std::vector<int32_t> labels;
  for (auto row = logits.begin(); row != logits.end(); row += k)
    labels.push_back(static_cast<int32_t>(std::max_element(row, row + k) - row));
  return labels;
}

std::vector<double> one_hot(const std::vector<int32_t>& labels, int64_t k) {
  std::vector<double> shares(labels.size() * static_cast<size_t>(k));
  for (size_t i = 0; i < labels.size(); ++i)
    if (labels[i] >= 0) shares[i * static_cast<size_t>(k) + static_cast<size_t>(labels[i])] = 1;
  return shares;
}

}  // namespace

RefinementTerms refinement_terms(const SquareMatrix& correlation, const std::vector<double>& a,
                                 int64_t k, std::vector<double>* gradient) {
  const double features = double(correlation.size), pairs = double(k * (k - 1));
  const std::vector<double> ra = product(correlation, a, k);
  const std::vector<double> s = inner(a, ra, k), gram = inner(a, a, k);
  RefinementTerms terms;
  std::vector<double> slope(s.size());  // of the orthogonality in S
  for (int64_t i = 0; i < k; ++i)
    for (int64_t j = 0; j < k; ++j) {
      if (i == j || s[i * k + i] <= 0 || s[j * k + j] <= 0) continue;  // an empty category
      const double scale = std::sqrt(s[i * k + i] * s[j * k + j]), value = s[i * k + j] / scale;
      terms.orthogonality += std::abs(value) / pairs;
      slope[i * k + j] = (value > 0 ? 1 : value < 0 ? -1 : 0) / (pairs * scale);
      slope[i * k + i] -= std::abs(value) / (pairs * s[i * k + i]);
    }
  // M A = A (A^T A) - A, and tr(M R M) = tr(A^T A S) - 2 tr(S) + tr(R).
  std::vector<double> ma = times(a, gram, k);
  for (size_t i = 0; i < ma.size(); ++i) ma[i] -= a[i];
  double trace = 0;
  for (int64_t i = 0; i < correlation.size; ++i) trace += correlation(i, i);
  for (int64_t i = 0; i < k; ++i) {
    trace -= 2 * s[i * k + i];
    for (int64_t j = 0; j < k; ++j) trace += gram[i * k + j] * s[j * k + i];
  }
  terms.information = trace / features;
  if (gradient == nullptr) return terms;
  // 2 R A H for the one; (2 / D) (M R + R M) A for the other, M R A = A (A^T R A) - R A.
  const std::vector<double> first = times(ra, slope, k), second = times(a, s, k),
                            third = product(correlation, ma, k);
  gradient->resize(a.size());
  for (size_t i = 0; i < a.size(); ++i)
    (*gradient)[i] = 2 * first[i] + 2 / features * (second[i] - ra[i] + third[i]);
  return terms;
}

Refinement refine_categories(const SquareMatrix& correlation, const std::vector<int32_t>& labels,
                             const RefinementOptions& options) {
  constexpr double kConfidence = 5, kSpread = 0.1;
  constexpr uint64_t kStart = 0;
  const int64_t k = options.categories;
  TESSERA_CHECK(k >= 2 && static_cast<int64_t>(labels.size()) == correlation.size,
                "refine_categories: ", k, " categories, ", labels.size(), " labels of ",
                correlation.size, " features");
  const size_t size = labels.size() * static_cast<size_t>(k);
  const auto uniform = [&](uint64_t epoch, size_t i) {
    return double(kernels::random_uniform(options.seed, kernels::kStreamGumbel, epoch, i));
  };
  std::vector<double> logits(size), noise(size), gradient;
  for (size_t i = 0; i < size; ++i) {
    const int32_t label = labels[i / static_cast<size_t>(k)];
    // The difference of two Gumbel numbers is as good a spread as a normal one.
    logits[i] = label < 0 ? kSpread * (kernels::gumbel_noise(uniform(kStart, i)) -
                                       kernels::gumbel_noise(uniform(kStart, i + size)))
                : label == static_cast<int32_t>(i % static_cast<size_t>(k)) ? kConfidence
                                                                            : 0;
  }
  Refinement result{.orthogonality_before =
                        refinement_terms(correlation, one_hot(labels, k), k, nullptr).orthogonality};
  std::vector<double> best = logits;
  double lowest = INFINITY;
  AdamSteps adam(size, options.rate);
  for (int64_t epoch = 1; epoch <= options.epochs; ++epoch) {
    const double temperature =
        std::max(0.5, 1 - 0.5 * double(epoch - 1) / double(options.epochs));
    for (size_t i = 0; i < size; ++i)
      noise[i] = kernels::gumbel_noise(uniform(static_cast<uint64_t>(epoch), i));
    const std::vector<double> shares = soft_rows(logits, noise, k, temperature);
    const RefinementTerms terms = refinement_terms(correlation, shares, k, &gradient);
    if (terms.orthogonality + terms.information < lowest) {
      lowest = terms.orthogonality + terms.information;
      best = logits;
    }
    result.epochs = epoch;
    if (terms.orthogonality < options.target) break;
    through_softmax(shares, k, temperature, gradient);
    adam.step(logits, gradient);
  }
  result.labels = hard_rows(best, k);
  result.orthogonality =
      refinement_terms(correlation, one_hot(result.labels, k), k, nullptr).orthogonality;
  return result;
}

void refine_discovery(CategoryDiscovery& result, const CategoriesConfig& config, uint64_t seed) {
  constexpr int64_t kFewCategories = 10;
  const bool from_clusters = config.method == "hybrid";
  const int64_t categories =
      from_clusters ? static_cast<int64_t>(result.categories.size())
                    : std::min(config.num_categories.value_or(kFewCategories), result.correlation.size);
  if (categories < 2) return;  // nowhere to move to
  std::vector<int32_t> labels(static_cast<size_t>(result.correlation.size), -1);
  for (size_t k = 0; from_clusters && k < result.categories.size(); ++k)
    for (const int64_t feature : result.categories[k].features)
      labels[static_cast<size_t>(feature)] = static_cast<int32_t>(k);
  const Refinement refined = refine_categories(
      result.correlation, labels,
      {.categories = categories,
       .epochs = config.gradient_epochs,
       .rate = config.gradient_lr,
       .target = config.orthogonality_target,
       .seed = seed});
  std::vector<Category> found(static_cast<size_t>(categories));
  for (size_t k = 0; k < found.size(); ++k)
    found[k].name = from_clusters ? result.categories[k].name : "category_" + std::to_string(k + 1);
  for (size_t i = 0; i < refined.labels.size(); ++i)
    found[static_cast<size_t>(refined.labels[i])].features.push_back(static_cast<int64_t>(i));
  std::erase_if(found, [](const Category& category) { return category.features.empty(); });
  result.categories = std::move(found);
}

}  // namespace tessera::discovery
