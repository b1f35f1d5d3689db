#include "training/early_stopping.h"

#include <fmt/format.h>

namespace tessera {
namespace {
constexpr int64_t kReportEpochs = 10;  // between lines that say nothing has improved
}

std::vector<std::string> EarlyStopping::observe(uint64_t epoch, double loss) {
  const int64_t waited_before = epochs_without_improvement();
  const bool improved = state_.best_epoch == 0 || loss < state_.best - min_delta_;
  state_.epoch = static_cast<double>(epoch);
  if (improved) {
    state_.best = loss;
    state_.best_epoch = state_.epoch;
  }
  if (patience_ == 0) return {};
  std::vector<std::string> lines;
  const auto say = [&](const std::string& text) { lines.push_back("  [EarlyStopping] " + text); };
  const int64_t waited = epochs_without_improvement();
  if (improved)
    say(fmt::format("Improvement at epoch {}, new best loss: {:.6f}", epoch, loss));
  else if (waited / kReportEpochs > waited_before / kReportEpochs)
    say(fmt::format("No improvement for {} epochs (patience: {})", waited, patience_));
  if (stops()) say(fmt::format("Stopping at epoch {}, best loss: {:.6f}", epoch, state_.best));
  return lines;
}

}  // namespace tessera
