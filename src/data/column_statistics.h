#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tessera {

/// Order statistics of a column without sorting it: values are counted by their 16 leading bits, and
/// only the bucket that holds a rank is looked at. Some 1 ns a value for the counting and 1 ns for
/// each rank.
class ColumnQuantiles {
 public:
  /// Takes new values; none is a NaN, at least one is there. They must outlive the calls below.
  void set(std::span<const float> values);

  /// The value at rank p / 100 * (n - 1), linear between the two nearest. p in [0, 100].
  double percentile(double p);
  double median() { return percentile(50); }

 private:
  float at_rank(int64_t rank);
  void collect(uint16_t key);  // the values of one bucket

  std::span<const float> values_;
  std::vector<uint16_t> keys_;    // leading bits of each value, ordered as the values are
  std::vector<uint32_t> counts_;  // [2^16] by leading bits
  std::vector<float> bucket_;     // sorted values of one bucket
  int64_t bucket_key_ = -1, bucket_rank_ = 0;  // its key, and the rank of its first value
};

/// Mean, population deviation and number of the values that are not NaN. NaN where there are none.
struct ColumnMoments {
  double mean = 0, deviation = 0;
  int64_t count = 0;
};
ColumnMoments column_moments(std::span<const float> values);

/// Whether a deviation is more than the rounding of a mean of floats: dividing by it would blow up
/// the first value that differs.
bool deviates(double mean, double deviation);

}  // namespace tessera
