#include "training/dead_code_reset.h"

#include <fmt/format.h>

#include <algorithm>

#include "tessera/step.h"
#include "training/codebook_use.h"
#include "training/sample_latents.h"

namespace tessera {
namespace {

constexpr int64_t kRows = 4096;  // at least as many as codes of a codebook are replaced

int64_t largest_codebook(const VqTable& table) {
  int64_t largest = 0;
  for (const auto& group : table.groups())
    largest = std::max<int64_t>(largest, group.codebook_size);
  return largest;
}

}  // namespace

std::vector<CategoryUse> category_use(const ModelFeatures& features,
                                      std::span<const CodeUse> codebooks) {
  if (features.categories.empty()) return {};
  const size_t levels = codebooks.size() / features.categories.size();
  std::vector<CategoryUse> all;
  for (const ColumnCategory& category : features.categories)
    all.push_back({category.name, category.features,
                   mean_use(codebooks.subspan(all.size() * levels, levels)).utilization});
  return all;
}

std::string reset_dead_codes(const BetweenEpochs& run) {
  const uint64_t epoch = run.state.read().epoch;
  const DeadCodeDecision decision =
      decide_dead_code_reset({.epoch = epoch,
                              .history = run.history,
                              .categories = run.categories,
                              .max_fraction = run.config.max_fraction,
                              .epochs_without_improvement = run.epochs_without_improvement});
  if (!decision.reset) return {};
  Quantizer& quantizer = run.model.quantizer();
  const Tensor latents = sample_latents(run.model, run.source, run.train,
                                        std::max(kRows, largest_codebook(quantizer.table())),
                                        run.state.seed(), SamplePurpose::DeadCodes, epoch);
  const int64_t before = quantizer.resets();
  run_step(run.model.device(), [&] {
    quantizer.replace_dead_codes(
        latents, run.state,
        {.interval = 1, .threshold = run.config.threshold, .max_fraction = decision.max_fraction});
  });
  run.history.last_reset = static_cast<double>(epoch);
  const int64_t replaced = quantizer.resets() - before;
  const std::string found = replaced > 0 ? fmt::format("Reset {} dead codes", replaced)
                                         : std::string("No dead codes found");
  return fmt::format("  [DeadCodeReset] Epoch {}: {} ({})", epoch, found, decision.reason);
}

}  // namespace tessera
