#pragma once

#include <cstdint>
#include <span>

namespace tessera {

/// How the codes of one codebook were used over some window (a batch, an epoch): p_k is the share
/// of the rows that code k got.
struct CodeUse {
  double utilization;   ///< used / total, in [0, 1]
  double perplexity;    ///< exp(entropy_nats), 1 .. total: as many codes used evenly
  double entropy_nats;  ///< -sum p_k ln p_k over the used codes, in [0, ln total]
  int64_t used;         ///< codes with at least one row
  int64_t dead;         ///< codes without one
  int64_t total;        ///< codes
};

/// Code use of one codebook.
///
/// counts  [codes], rows per code over the window, none negative
/// Returns entropy 0 and perplexity 1 for a window without rows, utilization 0 without codes.
CodeUse code_use(std::span<const int64_t> counts);

}  // namespace tessera
