#include "cpu/repeated_rows.h"

#include <bit>
#include <cstring>

namespace tessera::inline TESSERA_PRECISION {
namespace {

/// A number for the bytes of a row; four chains hide the latency of the products.
/// Source: the multiplier of Knuth's linear congruential generator.
uint64_t hash_of(const real* row, int64_t cols) {
  constexpr uint64_t kMultiplier = 6364136223846793005u;
  uint64_t chains[4] = {1, 2, 3, 4};
  for (int64_t c = 0; c < cols; ++c) {
    uint64_t bits = 0;
    std::memcpy(&bits, row + c, sizeof(real));
    uint64_t& chain = chains[c % 4];
    chain = (chain ^ bits) * kMultiplier;
  }
  uint64_t hash = 0;
  for (const uint64_t chain : chains) hash = (hash ^ (chain >> 32)) * kMultiplier;
  return hash >> 32;
}

}  // namespace

void RepeatedRows::find(const MatrixView<const real>& x, const kernels::ColumnGroup& group,
                        int64_t most) {
  const auto row = [&](int64_t n) { return x.data + n * x.ld + group.begin; };
  std::vector<int32_t> slots(std::bit_ceil(static_cast<size_t>(2 * most + 1)),
                             -1);  // classes by hash, at most half full
  first.clear();
  class_of.resize(static_cast<size_t>(x.rows));
  for (int64_t n = 0; n < x.rows; ++n) {
    size_t slot = hash_of(row(n), group.cols) & (slots.size() - 1);
    const auto differs = [&](int32_t k) {
      return std::memcmp(row(n), row(first[k]), group.cols * sizeof(real)) != 0;
    };
    while (slots[slot] >= 0 && differs(slots[slot])) slot = (slot + 1) & (slots.size() - 1);
    if (slots[slot] < 0) {
      if (classes() == most) return first.clear();
      slots[slot] = static_cast<int32_t>(first.size());
      first.push_back(static_cast<int32_t>(n));
    }
    class_of[n] = slots[slot];
  }
  begin.assign(first.size() + 1, 0);
  for (const int32_t k : class_of) ++begin[k + 1];
  for (size_t k = 0; k < first.size(); ++k) begin[k + 1] += begin[k];
  members.resize(static_cast<size_t>(x.rows));
  std::vector<int32_t> next(begin.begin(), begin.end() - 1);
  for (int64_t n = 0; n < x.rows; ++n) members[next[class_of[n]]++] = static_cast<int32_t>(n);
}

}  // namespace tessera::inline TESSERA_PRECISION
