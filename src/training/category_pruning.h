#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tessera/category_reduction.h"
#include "tessera/config.h"
#include "training/run_data.h"

namespace tessera {

/// Categories that go, and why: a line each.
struct PrunedCategories {
  CategoryReduction reduction;
  std::vector<std::string> lines;
};

/// Decides between epochs which of a model's learned categories go (learnable_assignment.pruning):
/// by plan_pruning, then, of what is left, by plan_merging with correlations of the training rows.
/// What it decides depends only on what a checkpoint between epochs holds, so that a resumed run
/// decides the same.
class CategoryPruning {
 public:
  CategoryPruning(const Config& config, const RunData& data) : config_(config), data_(data) {}

  /// After `epoch` (from 1); nothing where it is not due or every category stays.
  std::optional<PrunedCategories> after(int64_t epoch, Tokenizer& model);

 private:
  const Config& config_;
  const RunData& data_;
  std::vector<double> correlations_;  // between the features, once they were asked for
};

/// What each category's tokens tell of a row: by how much the reconstruction loss of rows rises, as a
/// share of it, where the category's quantized latents are replaced by their means. Over the first
/// 1024 rows of `subset`, in evaluation.
std::vector<double> category_usefulness(Tokenizer& model, const RowSource& source,
                                        const Buffer<int32_t>& subset);

/// Leaves `kept` of the categories: their names and level sizes. Features of the others count to the
/// category before them in their family, else to the one after them; columns stay where they are.
void keep_categories(const std::vector<int32_t>& kept, ModelFeatures& features, ModelConfig& model);

}  // namespace tessera
