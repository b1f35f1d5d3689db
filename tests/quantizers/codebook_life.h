#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string_view>

#include "core/context.h"
#include "tessera/kmeans.h"
#include "tessera/quantizer.h"
#include "tessera/step.h"
#include "testing/numbers.h"

// A toy data set and the life of an EMA codebook on it, step by step, open to edits in between.
namespace tessera::codebook_life {

// The toy: clusters with normal centres, and normal noise of the same size around them, so that they
// overlap and k-means has no bad local optima: five runs of it differ by less than 1 %.
inline constexpr int64_t kClusters = 64, kDim = 8, kRows = 8192, kBatch = 256, kSteps = 1000;
inline constexpr double kSpread = 1, kDecay = 0.99, kEpsilon = 1e-5;
inline constexpr uint64_t kSeed = 1;
inline constexpr uint64_t kInterval = 20;

inline const std::vector<float>& toy_rows() {
  static const std::vector<float> rows = [] {
    const auto centres = testing::normal<double>(kClusters * kDim, kSeed);
    const auto noise = testing::normal<double>(kRows * kDim, kSeed + 1);
    const auto cluster = testing::integers(kRows, kSeed + 2, kClusters);
    std::vector<float> values;
    for (size_t i = 0; i < kRows * kDim; ++i)
      values.push_back(float(centres[static_cast<size_t>(cluster[i / kDim]) * kDim + i % kDim] +
                             kSpread * noise[i]));
    return values;
  }();
  return rows;
}

inline Tensor toy() { return Tensor::from_host(kRows, kDim, toy_rows()); }

/// The rows of step `step`.
inline std::vector<float> batch_of(uint64_t step) {
  std::vector<float> values;
  for (const int32_t row : testing::integers(kBatch, 1000 + step, kRows))
    values.insert(values.end(), toy_rows().begin() + row * kDim,
                  toy_rows().begin() + (row + 1) * kDim);
  return values;
}

/// The best of five runs of k-means to convergence on the whole toy.
inline double lloyd_error() {
  static const double best = [] {
    double smallest = std::numeric_limits<double>::infinity();
    for (uint64_t seed = 0; seed < 5; ++seed)
      smallest = std::min(smallest, kmeans(toy().view(), {},
                                           {.clusters = kClusters, .iterations = 50, .seed = seed})
                                        .mean_sq_dist);
    return smallest;
  }();
  return best;
}

/// The state of an EMA codebook on the host.
struct Book {
  std::vector<float> codes, counts, sums;
};

/// Number and sum of the rows nearest to each code; the six-line definition, in double.
struct BatchSums {
  std::vector<double> counts = std::vector<double>(kClusters),
                      sums = std::vector<double>(kClusters * kDim);
};
inline BatchSums assign(const Book& book, const std::vector<float>& rows) {
  BatchSums result;
  for (size_t n = 0; n < rows.size(); n += kDim) {
    size_t best = 0;
    double best_distance = std::numeric_limits<double>::infinity();
    for (size_t k = 0; k < kClusters; ++k) {
      double distance = 0;
      for (size_t d = 0; d < kDim; ++d) {
        const double t = double(rows[n + d]) - book.codes[k * kDim + d];
        distance += t * t;
      }
      if (distance < best_distance) best = k, best_distance = distance;
    }
    ++result.counts[best];
    for (size_t d = 0; d < kDim; ++d) result.sums[best * kDim + d] += rows[n + d];
  }
  return result;
}

/// What other implementations do at the moments of a codebook's life. This one does it right, in
/// test code, so that a fault differs from a passing run by one member function.
class Rules {
 public:
  virtual ~Rules() = default;
  virtual void after_initialize(Book&) const {}
  virtual void after_update(Book&) const {}
  /// Code k is dead and `row` was drawn for it.
  virtual void expire(Book& book, size_t k, const float* row, float mean) const {
    set_code(book, k, row);
    book.counts[k] = mean;
    for (size_t d = 0; d < kDim; ++d) book.sums[k * kDim + d] = mean * row[d];
  }

 protected:
  static void set_code(Book& book, size_t k, const float* row) {
    std::copy_n(row, kDim, book.codes.begin() + static_cast<int64_t>(k) * kDim);
  }
};

inline constexpr std::string_view kGoodStart = "kmeans";
/// All codes within 1 / 64 of one point outside the data: one of them takes every row.
inline constexpr std::string_view kBadStart = "uniform";
inline void move_away(Book& book) {
  for (size_t i = 0; i < book.codes.size(); ++i) {
    book.codes[i] += 10;
    book.sums[i] = book.counts[i / kDim] * book.codes[i];
  }
}

/// A quantizer on the toy. Without rules it is the library's own, dead codes included.
class Life {
 public:
  Life(const Rules* rules, std::string_view start)
      : rules_(rules),
        quantizer_(make_quantizer(
            one_codebook(kClusters, kDim, {}),
            {.kind = "ema",
             .codebook_init = std::string(start),
             .ema_decay = kDecay,
             .ema_epsilon = kEpsilon,
             .dead_code = {.enabled = rules == nullptr, .interval = int64_t{kInterval}},
             .seed = kSeed,
             .batch_rows = kBatch},
            group_, {})) {
    quantizer_->initialize(toy());
    if (start == kBadStart) edit(move_away);
    if (rules_ != nullptr) edit([&](Book& book) { rules_->after_initialize(book); });
  }

  void step() {
    ++step_;
    const std::vector<float> rows = batch_of(step_);
    const Tensor latents = Tensor::from_host(kBatch, kDim, rows);
    run_step({}, [&] {
      state_.advance();
      quantizer_->update(quantizer_->forward({}, Var(latents)), latents, state_);
    });
    if (rules_ == nullptr) return;
    edit([&](Book& book) {
      rules_->after_update(book);
      if (step_ % kInterval == 0) expire_dead(book, rows);
    });
  }

  Book book() {
    Book result{quantizer_->codebooks().to_host(), quantizer_->counts().to_host(),
                sums().to_host()};
    return result;
  }
  template <class F>
  void edit(F&& f) {
    Book changed = book();
    f(changed);
    quantizer_->codebooks().write(changed.codes);
    quantizer_->counts().write(changed.counts);
    sums().write(changed.sums);
  }
  /// Mean squared distance of the whole toy, and how many codes it uses.
  std::pair<double, int64_t> error_and_use() {
    Tensor centres = Tensor::from_host(kClusters, kDim, quantizer_->codebooks().to_host());
    double error = 0;
    const std::vector<float> counts = lloyd_iteration(toy().view(), centres, &error, false);
    return {error, std::count_if(counts.begin(), counts.end(), [](float n) { return n > 0; })};
  }
  uint64_t steps_done() const { return step_; }

 private:
  Tensor sums() {
    std::vector<NamedTensor> buffers;
    quantizer_->add_buffers(buffers);
    return std::find_if(buffers.begin(), buffers.end(),
                        [](const NamedTensor& b) { return b.name == "quantizer/ema_sums"; })
        ->tensor;
  }
  void expire_dead(Book& book, const std::vector<float>& rows) const {
    double total = 0;
    for (const float count : book.counts) total += count;
    const float mean = float(total / kClusters);
    std::vector<size_t> dead;
    for (size_t k = 0; k < kClusters; ++k)
      if (book.counts[k] < 0.1f * mean) dead.push_back(k);
    std::stable_sort(dead.begin(), dead.end(),
                     [&](size_t a, size_t b) { return book.counts[a] < book.counts[b]; });
    dead.resize(std::min<size_t>(dead.size(), kClusters / 4));
    for (size_t j = 0; j < dead.size();
         ++j)  // the batch is a random one, and so are its first rows
      rules_->expire(book, dead[j], &rows[j * kDim], mean);
  }

  const Rules* rules_;
  ParameterGroup group_{"codebook", kCodebookGroup};
  TrainingState state_{kSeed, 1, 1, {}};
  std::unique_ptr<Quantizer> quantizer_;
  uint64_t step_ = 0;
};

}  // namespace tessera::codebook_life
