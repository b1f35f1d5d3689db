#include "data/column_statistics.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace tessera {
namespace {

// Sign, exponent and seven bits of the mantissa: buckets of less than a percent, which sort fast.
constexpr int kKeyBits = 16;
// Sums in eight lanes: one chain of additions would wait 4 cycles for each value.
constexpr size_t kLanes = 8;
constexpr double kResolution = 0x1p-22;       // of the mean
constexpr double kSmallestDeviation = 1e-30;  // its inverse is a float

/// The leading bits of a float, ordered as the floats are.
uint16_t key_of(float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t ordered = bits ^ ((bits >> 31) != 0 ? 0xffffffffu : 0x80000000u);
  return static_cast<uint16_t>(ordered >> (32 - kKeyBits));
}

/// Sum of f(value) in a fixed order.
template <class F>
double sum_of(std::span<const float> values, F&& f) {
  double lanes[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes)
    for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += f(values[i + lane]);
  for (; i < values.size(); ++i) lanes[i % kLanes] += f(values[i]);
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

}  // namespace

void ColumnQuantiles::set(std::span<const float> values) {
  values_ = values;
  bucket_key_ = -1;
  // Keys apart from their counting: this loop becomes vectors, the next one cannot.
  keys_.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) keys_[i] = key_of(values[i]);
  counts_.assign(size_t{1} << kKeyBits, 0);
  uint32_t* counts = counts_.data();
  for (const uint16_t key : keys_) ++counts[key];
}

void ColumnQuantiles::collect(uint16_t key) {
  // Few blocks hold one of the bucket; whether a block does is one comparison of vectors.
  constexpr size_t kBlock = 16;
  size_t begin = 0;
  for (; begin + kBlock <= keys_.size(); begin += kBlock) {
    const uint16_t* block = keys_.data() + begin;
    uint16_t found = 0;
    for (size_t i = 0; i < kBlock; ++i) found |= static_cast<uint16_t>(block[i] == key);
    if (found == 0) continue;
    for (size_t i = 0; i < kBlock; ++i)
      if (block[i] == key) bucket_.push_back(values_[begin + i]);
  }
  for (; begin < keys_.size(); ++begin)
    if (keys_[begin] == key) bucket_.push_back(values_[begin]);
}

float ColumnQuantiles::at_rank(int64_t rank) {
  const bool inside = bucket_key_ >= 0 && rank >= bucket_rank_ &&
                      rank < bucket_rank_ + static_cast<int64_t>(bucket_.size());
  if (!inside) {
    bucket_rank_ = 0;
    uint32_t key = 0;
    while (bucket_rank_ + counts_[key] <= rank) bucket_rank_ += counts_[key++];
    bucket_key_ = key;
    bucket_.clear();
    bucket_.clear();
    collect(static_cast<uint16_t>(key));
    std::ranges::sort(bucket_);
  }
  return bucket_[rank - bucket_rank_];
}

double ColumnQuantiles::percentile(double p) {
  const double place = p / 100 * static_cast<double>(values_.size() - 1);
  const auto below = static_cast<int64_t>(place);
  const double low = at_rank(below), part = place - static_cast<double>(below);
  return part == 0 ? low : low + part * (double(at_rank(below + 1)) - low);
}

ColumnMoments column_moments(std::span<const float> values) {
  // Comparisons, not branches: x == x is false for NaN alone.
  const double count = sum_of(values, [](float x) { return x == x ? 1.0 : 0.0; });
  if (count == 0) {
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    return {kNan, kNan, 0};
  }
  const double mean = sum_of(values, [](float x) { return x == x ? double(x) : 0.0; }) / count;
  const double square = sum_of(values, [mean](float x) {
    const double diff = x == x ? double(x) - mean : 0.0;
    return diff * diff;
  });
  return {mean, std::sqrt(square / count), static_cast<int64_t>(count)};
}

bool deviates(double mean, double deviation) {
  return deviation > std::max(kSmallestDeviation, kResolution * std::abs(mean));
}

}  // namespace tessera
