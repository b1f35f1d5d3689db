#include "training/run_log.h"

#include <fmt/format.h>

#include "tessera/console.h"

namespace tessera {
namespace {
std::string title(const std::string& text) {
  return fmt::format("{0:=>70}\n{1}\n{0:=>70}\n", "", text);
}
}  // namespace

std::string run_header(const RunFacts& facts) {
  std::string text = title("VQ-VAE TRAINING");
  text += fmt::format("Epochs: {}\nTraining samples: {}\nValidation samples: {}\nDevice: {}\n",
                      facts.epochs, facts.training_rows, facts.validation_rows, facts.device);
  if (facts.validation_rows > 0)
    text += facts.validation_interval == 1
                ? "Validation: every epoch\n"
                : fmt::format("Validation: every {} epochs\n", facts.validation_interval);
  text += "Loss weights:";
  for (const auto& [name, weight] : facts.loss_weights) text += fmt::format(" {}={}", name, weight);
  return text + fmt::format("\n{:=>70}", "");
}

std::string run_footer(double seconds, const std::map<std::string, double>& metrics) {
  std::string text = title("TRAINING COMPLETE");
  text += "Total time: " + duration_text(seconds);
  if (!metrics.empty()) text += "\nFinal metrics:";
  for (const auto& [name, value] : metrics) text += fmt::format("\n  {}: {:.4f}", name, value);
  return text;
}

}  // namespace tessera
