#include "training/epoch_log.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace tessera {

double EpochNumbers::total(const std::vector<double>& means) const {
  double sum = 0;
  for (size_t i = 0; i < means.size(); ++i) sum += losses[i].weight * means[i];
  return sum;
}

std::string epoch_block(const EpochNumbers& n) {
  const std::string validation =
      !n.last_validation_total ? "none"
                               : fmt::format("{:.4f}{}", *n.last_validation_total,
                                             n.validation.empty() ? " (cached)" : "");
  const double reconstruction = n.losses[0].weight * n.train[0], total = n.total(n.train);
  return fmt::format(
      "Epoch {}/{} ({:.1f}s): train={:.4f} val={}\n  Components: recon={:.4f} vq={:.4f}\n"
      "  Utilization: {:.1f}%",
      n.epoch, n.epochs, n.seconds, total, validation, reconstruction, total - reconstruction,
      100 * n.use.utilization);
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
  return line;
}

}  // namespace tessera
