#include <cmath>

#include "tessera/error.h"
#include "tessera/metrics.h"

namespace tessera {

CodeUse code_use(std::span<const int64_t> counts) {
  CodeUse use{.utilization = 0,
              .perplexity = 1,
              .entropy_nats = 0,
              .used = 0,
              .dead = 0,
              .total = static_cast<int64_t>(counts.size())};
  int64_t rows = 0;
  for (const int64_t count : counts) {
    TESSERA_CHECK(count >= 0, "code_use: a code has ", count, " rows");
    rows += count;
    use.used += count > 0;
  }
  use.dead = use.total - use.used;
  if (use.total > 0) use.utilization = double(use.used) / double(use.total);
  for (const int64_t count : counts) {
    if (count == 0) continue;
    const double p = double(count) / double(rows);
    use.entropy_nats += p * -std::log(p);  // adds -0 for p = 1, which leaves +0
  }
  use.perplexity = std::exp(use.entropy_nats);
  return use;
}

}  // namespace tessera
