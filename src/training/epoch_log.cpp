#include "training/epoch_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

namespace tessera {
namespace {

/// The name of a term's component in the block; those of the quantizer share one.
std::string component_of(const std::string& loss) {
  static const std::map<std::string, std::string> kShort = {
      {"reconstruction", "recon"},         {"codebook", "vq"},          {"commitment", "vq"},
      {"codebook_orthogonality", "ortho"}, {"informativeness", "info"}, {"topographic", "topo"}};
  const auto found = kShort.find(loss);
  return found == kShort.end() ? loss : found->second;
}

/// "recon=0.1234 vq=0.0123 ...": weighted, so that they add up to the total.
std::string components(const EpochNumbers& n) {
  std::vector<std::pair<std::string, double>> sums = {{"recon", 0}, {"vq", 0}};
  for (size_t i = 0; i < n.losses.size(); ++i) {
    if (n.losses[i].name.starts_with("assign_")) continue;
    const std::string name = component_of(n.losses[i].name);
    auto at = std::ranges::find(sums, name, &std::pair<std::string, double>::first);
    if (at == sums.end()) at = sums.insert(at, {name, 0});
    at->second += n.losses[i].weight * n.train[i];
  }
  std::string text;
  for (const auto& [name, sum] : sums) text += fmt::format(" {}={:.4f}", name, sum);
  return text;
}

/// The lines of a learned assignment; weighted, and 14 spaces in, as the customer's program has them.
std::string assignment_lines(const EpochNumbers& n) {
  if (!n.assignment) return "";
  std::string text;
  double total = 0;
  for (size_t i = 0; i < n.losses.size(); ++i) {
    if (!n.losses[i].name.starts_with("assign_")) continue;
    const double value = n.losses[i].weight * n.train[i];
    total += value;
    text += fmt::format("\n{:14}{}={:.4f}", "", n.losses[i].name, value);
  }
  return text + fmt::format("\n{:14}assign_total={:.4f}\n  Temperature: {:.2f}", "", total,
                            n.assignment->temperature);
}

/// What encoders add to the block.
std::string encoder_lines(const EpochNumbers& n) {
  std::string text;
  if (!n.by_length.empty()) {
    text += "\n  By length:";
    for (const auto& [steps, error] : n.by_length) text += fmt::format(" {}={:.4f}", steps, error);
  }
  if (!n.encoder_gradients.empty()) {
    text += "\n  Encoder gradients:";
    for (const auto& [family, norm] : n.encoder_gradients)
      text += fmt::format(" {}={:.2e}", family, norm);
  }
  return text;
}

}  // namespace

double EpochNumbers::total(const std::vector<double>& means) const {
  double sum = 0;
  for (size_t i = 0; i < means.size(); ++i) sum += losses[i].weight * means[i];
  return sum;
}

std::string epoch_block(const EpochNumbers& n) {
  const std::string validation = !n.last_validation_total
                                     ? "none"
                                     : fmt::format("{:.4f}{}", *n.last_validation_total,
                                                   n.validation.empty() ? " (cached)" : "");
  return fmt::format(
      "Epoch {}/{} ({:.1f}s): train={:.4f} val={}\n  Components:{}{}\n  Utilization: {:.1f}%{}",
      n.epoch, n.epochs, n.seconds, n.total(n.train), validation, components(n),
      assignment_lines(n), 100 * n.use.utilization, encoder_lines(n));
}

nlohmann::ordered_json metrics_line(const EpochNumbers& n) {
  using nlohmann::ordered_json;
  const bool validated = !n.validation.empty();
  ordered_json line = {{"epoch", n.epoch},
                       {"step", n.step},
                       {"seconds", n.seconds},
                       {"rows_per_second", static_cast<double>(n.rows) / n.seconds},
                       {"learning_rate", n.learning_rate},
                       {"train_total", n.total(n.train)}};
  for (size_t i = 0; i < n.losses.size(); ++i) line["train_" + n.losses[i].name] = n.train[i];
  line["validation_total"] =
      validated ? ordered_json(n.total(n.validation)) : ordered_json(nullptr);
  for (size_t i = 0; i < n.losses.size(); ++i)
    line["validation_" + n.losses[i].name] =
        validated ? ordered_json(n.validation[i]) : ordered_json(nullptr);
  line["utilization"] = n.use.utilization;
  line["perplexity"] = n.use.perplexity;
  line["dead_codes"] = n.use.dead;
  line["code_resets"] = n.resets;
  if (n.assignment) {
    line["temperature"] = n.assignment->temperature;
    line["assignment_entropy"] = n.assignment->entropy;
    line["assignment_gradient_rows"] = n.assignment->gradient_rows;
    line["features_changed"] = n.assignment->changed;
    line["features_moved"] = n.assignment->moved;
    line["assignment_categories"] = n.assignment->categories;
    line["validation_reconstruction_hard"] =
        n.hard_reconstruction ? ordered_json(*n.hard_reconstruction) : ordered_json(nullptr);
  }
  for (const auto& [steps, error] : n.by_length)
    line["validation_reconstruction_" + std::to_string(steps)] = error;
  for (const auto& [family, norm] : n.encoder_gradients)
    line["encoder_gradient_" + family] = norm;
  return line;
}

std::map<std::string, double> measured(const nlohmann::ordered_json& line) {
  std::map<std::string, double> metrics;
  for (const auto& [key, value] : line.items())
    if (value.is_number_float() && key != "seconds" && key != "rows_per_second" &&
        key != "learning_rate")
      metrics[key] = value.get<double>();
  return metrics;
}

}  // namespace tessera
