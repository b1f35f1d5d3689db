#pragma once

#include <vector>

#include "cpu/cpu_context.h"

namespace tessera {

/// Sum over [0, count) of f(begin, end), each in binary64, over pieces of a fixed size added in
/// ascending order: the same bits for any thread count. Call inside enqueue().
template <class F>
double chunked_sum(CpuContext& context, int64_t count, F&& f) {
  constexpr int64_t kPiece = 65536;
  if (count <= kPiece) return count > 0 ? f(int64_t{0}, count) : 0.0;
  std::vector<double> sums((count + kPiece - 1) / kPiece);
  context.pool().run(static_cast<int64_t>(sums.size()), [&](int64_t i) {
    sums[i] = f(i * kPiece, std::min(count, (i + 1) * kPiece));
  });
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

}  // namespace tessera
