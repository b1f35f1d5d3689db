#pragma once

#include <optional>
#include <string>

#include "tessera/console.h"
#include "tessera/model_features.h"
#include "tessera/trainer.h"
#include "training/run_folder.h"

namespace tessera {

/// The checkpoint that a run in `folder` goes on from, or nothing where it starts anew. Broken
/// checkpoints that are passed over are named as warnings.
///
/// Throws Error: Usage where starting anew, or going on from a file elsewhere, would end a run that
/// the folder already holds; Data where there are checkpoints and none of them is whole.
std::optional<std::string> checkpoint_to_resume(const TrainOptions& options,
                                                const RunFolder& folder, Console& console);

/// Where the run of `checkpoint` has pruned or merged some of the categories that `features` and `model`
/// describe: leaves those it has. Nothing where its categories are others; restore_checkpoint() says so.
void take_categories(const std::string& checkpoint, ModelFeatures& features, ModelConfig& model);

}  // namespace tessera
