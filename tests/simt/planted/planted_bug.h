#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <ostream>
#include <span>
#include <vector>

namespace simt::planted {

/// A small kernel that runs with its mistake or without: true where the results are right.
using Kernel = bool(bool bug);

// Barriers and races: races.cpp.
Kernel partials_read_early, redundant_barrier, no_fence_before_count, stage_reused_early;
Kernel tile_read_early, tile_reused_early, histogram_zeroed_late, sum_not_atomic,
    maximum_read_early;
Kernel exchange_without_syncwarp, counter_zeroed_late, counter_read_plainly, stencil_in_place;
// Memory, and operations that not all threads reach: faults.cpp.
Kernel read_past_the_end, store_past_the_end, shared_index_too_high, column_too_high;
Kernel misaligned_vector, halo_not_loaded, cast_out_of_range;
Kernel ballot_in_a_branch, return_above_a_barrier, barriers_on_one_line, barriers_on_two_lines;
Kernel barrier_in_a_branch, shuffle_outside_the_mask;

/// Global memory of a kernel, of the exact size: AddressSanitizer sees the first byte beyond it.
template <class T>
class Global {
 public:
  explicit Global(const std::vector<T>& values) : size_(values.size()) {
    void* data = nullptr;
    if (cudaMalloc(&data, size_ * sizeof(T)) != cudaSuccess) throw Error("planted: no memory");
    data_ = static_cast<T*>(data);
    std::copy(values.begin(), values.end(), data_);
  }
  ~Global() { (void)cudaFree(data_); }
  Global(const Global&) = delete;
  Global& operator=(const Global&) = delete;

  T* data() const { return data_; }
  bool operator==(const std::vector<T>& expected) const {
    return std::equal(expected.begin(), expected.end(), data_, data_ + size_);
  }

 private:
  T* data_ = nullptr;
  size_t size_;
};

/// 0, 1, 2, ...
template <class T>
std::vector<T> counting(int count) {
  std::vector<T> values(count);
  for (int i = 0; i < count; ++i) values[i] = static_cast<T>(i);
  return values;
}

template <class T>
std::vector<T> zeros(int count) {
  return std::vector<T>(count);
}

/// A row of the table: a mistake and what finds it.
struct PlantedBug {
  const char* name;
  Kernel* run;
  const char* seen;  // one letter for each of kColumns
};

/// Columns of the table, as they stand in PlantedBug::seen.
enum Column {
  kInOrder,
  kReverse,
  kWarp,
  kPriority,
  kAddress,
  kByThread,
  kByWarp,
  kByBlock,
  kColumns
};
std::span<const PlantedBug> planted_bugs();
inline void PrintTo(const PlantedBug& bug, std::ostream* out) { *out << bug.name; }

}  // namespace simt::planted
