#include <fmt/format.h>

#include "commands/commands.h"
#include "commands/overrides.h"
#include "tessera/model_features.h"
#include "tessera/report/discovery_files.h"

namespace tessera::tools {
namespace {

Config configured(const DiscoverArguments& arguments) {
  if (!arguments.device.empty()) parse_device(arguments.device);  // as a flag: Usage, not Config
  Overrides overrides(arguments.overrides);
  overrides.add("training.seed", arguments.seed);
  overrides.add("training.threads", arguments.threads);
  overrides.add("training.device", arguments.device);
  overrides.add("data.path", arguments.input);
  return arguments.config.empty() ? parse_config("", "command line", overrides.lines())
                                  : load_config(arguments.config, overrides.lines());
}

std::string chosen_by(const CategoriesConfig& config) {
  if (config.num_categories) return "as categories.num_categories says";
  if (config.cut_height) return "as categories.cut_height says";
  return "by " + config.k_selection;
}

void print_clusterings(Console& console, const DiscoveryReport& report) {
  for (const FeatureClustering& clustering : report.discovery.clusterings) {
    const std::string family = clustering.family.empty() ? "" : clustering.family + ": ";
    const CutScore& chosen = clustering.chosen;
    console.line(
        fmt::format("{}{} clusters of {} features, {} (modularity {:.4f}, silhouette {:.4f})",
                    family, chosen.clusters, clustering.features.size(), chosen_by(report.config),
                    chosen.modularity, chosen.silhouette));
    if (!clustering.unrelated.empty())
      console.line(fmt::format("{}{} features correlate with no other (|r| below {:.4f})", family,
                               clustering.unrelated.size(), clustering.chance_correlation));
    if (clustering.reassigned > 0)
      console.line(fmt::format("{}{} features without a cluster of at least {} joined the nearest",
                               family, clustering.reassigned, report.config.min_features));
  }
}

void print_separation(Console& console, const DiscoveryReport& report) {
  const Separation& separation = report.separation;
  size_t width = 8;
  for (const CategorySeparation& category : separation.categories)
    width = std::max(width, category.name.size());
  console.line(
      fmt::format("\n  {:<{}}  features  within  between  worst pair (|r|)", "category", width));
  for (const CategorySeparation& category : separation.categories)
    console.line(fmt::format("  {:<{}}  {:>8}  {:.4f}  {:.4f}   {}", category.name, width,
                             category.features, category.within, category.between,
                             category.inside < 0 ? "none"
                                                 : fmt::format("{:.4f}  {} - {}", category.worst,
                                                               report.names[category.inside],
                                                               report.names[category.outside])));
  console.line(fmt::format("  {:<{}}  {:>8}  {:.4f}  {:.4f}\n", "all", width, report.names.size(),
                           separation.within, separation.between));
  if (separation.worst > report.config.orthogonality_target)
    console.warning(fmt::format(
        "{} and {} correlate by {:.4f} on average; categories.orthogonality_target is {:.4g}",
        separation.categories[separation.first].name, separation.categories[separation.second].name,
        separation.worst, report.config.orthogonality_target));
}

}  // namespace

int run_discover(const DiscoverArguments& arguments, Verbosity verbosity) {
  const Config config = configured(arguments);
  if (config.training.threads > 0) set_threads(static_cast<int>(config.training.threads));
  Console console(verbosity);
  PreparedFeatures prepared =
      prepare_features(config, parse_device(config.training.device), console);
  DiscoveryReport report;
  report.data = config.data.path;
  report.config = config.categories;
  report.rows = prepared.matrix.rows;
  report.fitted_rows = static_cast<int64_t>(prepared.train.size());
  report.names = prepared.matrix.names;
  report.excluded = std::move(prepared.excluded);
  if (config.data.cleaning.enabled.value_or(true)) report.cleaning = std::move(prepared.cleaning);
  report.discovery = std::move(prepared.discovery);
  report.separation = separation_of(report.discovery.categories, report.discovery.correlation);
  print_clusterings(console, report);
  print_separation(console, report);
  std::string written;
  for (const std::string& name : write_discovery(arguments.output, report))
    written += (written.empty() ? "" : ", ") + name;
  console.line(fmt::format("{} categories; wrote {} to {}", report.discovery.categories.size(),
                           written, arguments.output));
  return 0;
}

}  // namespace tessera::tools
