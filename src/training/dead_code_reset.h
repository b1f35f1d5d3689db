#pragma once

#include <span>
#include <string>
#include <vector>

#include "tessera/batch.h"
#include "tessera/config.h"
#include "tessera/metrics.h"
#include "tessera/model_features.h"
#include "tessera/run_progress.h"
#include "tessera/tokenizer.h"
#include "training/dead_code_policy.h"

namespace tessera {

/// The use of each category from that of its codebooks: codebook q = k L + l is of category k. Nothing
/// where features have no categories.
std::vector<CategoryUse> category_use(const ModelFeatures& features,
                                      std::span<const CodeUse> codebooks);

/// A run between two epochs, where the adaptive policy looks at it.
struct BetweenEpochs {
  Tokenizer& model;
  TrainingState& state;
  RowSource source;
  std::span<const int32_t> train;  ///< rows that codes are replaced by
  const DeadCodeConfig& config;
  std::span<const CategoryUse> categories;
  int64_t epochs_without_improvement = 0;
  DeadCodeHistory& history;
};

/// Replaces dead codes where decide_dead_code_reset() says so, by latents of training rows, and
/// remembers that it did. Dead is what config.threshold says: a code that is used is never replaced.
/// Returns the line for the log, empty where the policy leaves the codes alone.
///
/// Everything it decides and draws by is in a checkpoint of the end of the epoch, so it may as well
/// run in another process than that epoch did.
std::string reset_dead_codes(const BetweenEpochs& run);

}  // namespace tessera
