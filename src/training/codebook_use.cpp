#include "training/codebook_use.h"

namespace tessera {

std::vector<CodeUse> codebook_use(const VqTable& table, std::span<const int64_t> usage) {
  std::vector<CodeUse> all;
  for (const auto& group : table.groups())
    all.push_back(code_use(usage.subspan(static_cast<size_t>(group.code_begin),
                                         static_cast<size_t>(group.codebook_size))));
  return all;
}

CodeUse mean_use(std::span<const CodeUse> codebooks) {
  CodeUse mean{};
  const auto count = static_cast<double>(codebooks.size());
  for (const CodeUse& use : codebooks) {
    mean.utilization += use.utilization / count;
    mean.perplexity += use.perplexity / count;
    mean.entropy_nats += use.entropy_nats / count;
    mean.used += use.used;
    mean.dead += use.dead;
    mean.total += use.total;
  }
  return mean;
}

}  // namespace tessera
