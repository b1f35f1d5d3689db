#include "training/category_pruning.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "tessera/step.h"
#include "training/assignment_training.h"

namespace tessera {
namespace {

constexpr int64_t kUsefulnessRows = 1024;

/// `joined`: the category that each of the features went to.
std::string went_to(const std::vector<int32_t>& joined, const ModelFeatures& features) {
  std::map<int32_t, int64_t> counts;
  for (const int32_t category : joined) ++counts[category];
  std::string text;
  for (const auto& [category, count] : counts)
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ",
                        features.categories[static_cast<size_t>(category)].name, count);
  return text;
}

std::string pruned_line(int64_t epoch, const PruningPlan& plan, size_t i,
                        const std::vector<double>& usefulness, const PruningConfig& config,
                        const ModelFeatures& features) {
  const auto category = static_cast<size_t>(plan.removed[i]);
  const size_t count = plan.joined[i].size();
  const std::string targets = went_to(plan.joined[i], features);
  std::string line =
      fmt::format("Pruned category {} after epoch {}: ", features.categories[category].name, epoch);
  if (static_cast<int64_t>(count) >= config.min_features) {
    line += fmt::format("usefulness {:.3g}, at least {:.3g}", usefulness[category],
                        config.min_usefulness);
    return count == 0 ? line : line + fmt::format("; its {} features join {}", count, targets);
  }
  line +=
      fmt::format("{} feature{}, at least {}", count, count == 1 ? "" : "s", config.min_features);
  if (count == 0) return line;
  return line + (count == 1 ? "; it joins " : "; they join ") + targets;
}

/// Usefulness of latents [rows, columns] by category; `loss` is that of other latents.
template <class Loss>
std::vector<double> rises(std::span<const kernels::VqGroup> groups, size_t levels,
                          const std::vector<float>& latents, int64_t rows, Loss loss) {
  const auto columns = static_cast<int64_t>(latents.size()) / rows;
  const double whole = loss(latents);
  std::vector<double> result;
  for (size_t first = 0; first < groups.size(); first += levels) {
    std::vector<float> without = latents;
    const kernels::VqGroup& last = groups[first + levels - 1];
    for (int64_t c = groups[first].latent_begin; c < last.latent_begin + last.dim; ++c) {
      double sum = 0;
      for (int64_t n = 0; n < rows; ++n) sum += double(latents[n * columns + c]);
      for (int64_t n = 0; n < rows; ++n) without[n * columns + c] = float(sum / double(rows));
    }
    result.push_back(whole > 0 ? loss(without) / whole - 1
                               : std::numeric_limits<double>::infinity());
  }
  return result;
}

}  // namespace

std::vector<double> category_usefulness(Tokenizer& model, const RowSource& source,
                                        const Buffer<int32_t>& subset) {
  const std::span<const kernels::VqGroup> groups = model.quantizer().table().groups();
  const size_t levels = groups.size() / static_cast<size_t>(model.learned()->categories());
  std::vector<double> result;
  run_step(model.device(), [&] {
    const int64_t rows = std::min(kUsefulnessRows, subset.empty() ? source.rows : subset.size());
    const Var x(gather_rows(source, subset, 0, rows, model.device()));
    TokenizerOutput out = model.forward({}, x, false);
    const Tensor quantized = out.code.quantized.value();
    result =
        rises(groups, levels, quantized.to_host(), rows, [&](const std::vector<float>& latents) {
          const Tensor changed = Tensor::from_host(rows, quantized.cols(), latents, model.device());
          out.reconstruction = model.decode({}, Var(changed));
          const Var loss = loss_named("reconstruction")(model.loss_inputs(out, x, {}));
          return double(loss.value().to_host()[0]);
        });
  });
  return result;
}

std::optional<PrunedCategories> CategoryPruning::after(int64_t epoch, Tokenizer& model) {
  const PruningConfig& own = config_.learnable_assignment.pruning;
  if (!own.enabled || epoch < own.start_epoch || epoch % own.interval != 0) return {};
  const auto& families = model.learned()->options().families;
  const std::vector<float> logits = model.learned()->logits();
  std::vector<double> usefulness;
  if (own.min_usefulness > 0) {
    const RowsNow now = data_.validation_now(model);
    usefulness = category_usefulness(model, now.source, now.rows);
  }
  const PruningPlan pruning = plan_pruning(
      families, logits, {.min_features = own.min_features, .min_usefulness = own.min_usefulness},
      usefulness);
  MergingPlan merging{{}, pruning.category_of};
  if (own.merge_likeness) {
    if (correlations_.empty())
      correlations_ = training_correlations(data_, config_.learnable_assignment.modularity);
    merging = plan_merging(families, pruning.category_of, correlations_, *own.merge_likeness);
  }
  if (pruning.removed.empty() && merging.pairs.empty()) return {};
  PrunedCategories result{reduce_by(families, logits, pruning, merging), {}};
  for (size_t i = 0; i < pruning.removed.size(); ++i)
    result.lines.push_back(pruned_line(epoch, pruning, i, usefulness, own, data_.features));
  for (const MergingPlan::Pair& pair : merging.pairs)
    result.lines.push_back(
        fmt::format("Merged {} into {} after epoch {}: likeness {:.2f}, at least {}",
                    data_.features.categories[static_cast<size_t>(pair.absorbed)].name,
                    data_.features.categories[static_cast<size_t>(pair.kept)].name, epoch,
                    pair.likeness, *own.merge_likeness));
  return result;
}

void keep_categories(const std::vector<int32_t>& kept, ModelFeatures& features,
                     ModelConfig& model) {
  std::vector<ColumnCategory> categories;
  std::vector<CategoryLevels> levels;
  std::vector<std::pair<int64_t, int64_t>> families;
  size_t k = 0;
  for (const auto& [columns, count] : features.assignment) {
    const size_t begin = categories.size();
    int64_t waiting = 0;  // features of removed ones that none stands before
    for (int64_t i = 0; i < count; ++i, ++k) {
      const ColumnCategory& category = features.categories[k];
      if (std::ranges::find(kept, static_cast<int32_t>(k)) != kept.end()) {
        categories.push_back({category.name, category.features + waiting});
        levels.push_back(model.levels[k]);
        waiting = 0;
      } else if (categories.size() > begin) {
        categories.back().features += category.features;
      } else {
        waiting += category.features;
      }
    }
    TESSERA_CHECK(categories.size() > begin, "keep_categories: none of a family's ", count);
    families.emplace_back(columns, static_cast<int64_t>(categories.size() - begin));
  }
  features.categories = std::move(categories);
  features.assignment = std::move(families);
  model.levels = std::move(levels);
}

}  // namespace tessera
