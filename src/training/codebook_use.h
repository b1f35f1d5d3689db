#pragma once

#include <span>
#include <vector>

#include "tessera/metrics.h"
#include "tessera/quantizer.h"

namespace tessera {

/// How each codebook of `table` was used; usage as Quantizer::usage() counts it, [total codes].
std::vector<CodeUse> codebook_use(const VqTable& table, std::span<const int64_t> usage);

/// Codebooks together: shares, perplexity and entropy are means over them, numbers of codes sums.
CodeUse mean_use(std::span<const CodeUse> codebooks);

}  // namespace tessera
