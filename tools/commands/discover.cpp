#include <fmt/format.h>

#include <numeric>

#include "commands/commands.h"
#include "commands/overrides.h"
#include "tessera/data.h"
#include "tessera/load_features.h"
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

void print_removed(Console& console, const char* title,
                   const std::vector<RemovedFeature>& removed) {
  if (removed.empty()) return;
  console.line(fmt::format("{} {} features", title, removed.size()));
  for (const RemovedFeature& feature : removed)
    console.line(fmt::format("  {}: {}", feature.name, feature.reason));
}

/// Removed features one by one; filled and capped ones one by one when verbose, else their number:
/// capping at percentiles changes every feature. report.json names them all.
void print_cleaning(Console& console, const Cleaning& cleaning) {
  print_removed(console, "Removed", cleaning.removed);
  int64_t filled = 0, filled_in = 0, capped = 0, capped_in = 0;
  for (const CleanedFeature& feature : cleaning.kept) {
    filled += feature.filled;
    filled_in += feature.filled > 0 ? 1 : 0;
    capped += feature.capped;
    capped_in += feature.capped > 0 ? 1 : 0;
  }
  if (filled > 0)
    console.line(fmt::format("Filled {} missing values of {} features with their medians", filled,
                             filled_in));
  if (capped > 0) console.line(fmt::format("Capped {} outliers of {} features", capped, capped_in));
  for (const CleanedFeature& feature : cleaning.kept)
    if (feature.filled > 0 || feature.capped > 0)
      console.detail(fmt::format("  {}: {} filled with {:.6g}, {} capped to {:.6g} ... {:.6g}",
                                 feature.name, feature.filled, feature.fill, feature.capped,
                                 feature.low, feature.high));
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

/// Cleans `features` and finds their categories; adds both to the report.
void find_categories(FeatureMatrix& features, const Config& config, DiscoveryReport& report,
                     Console& console) {
  const Device device = parse_device(config.training.device);
  const auto seed = static_cast<uint64_t>(config.training.seed);
  const std::vector<std::string> loaded = features.names;
  report.excluded = exclude_features(features, config.data.exclude_features);
  print_removed(console, "Excluded", report.excluded);
  // As in training: what is held out for validation has no part in any fit.
  const std::vector<int32_t> rows =
      split_rows(features.rows, config.data.validation_fraction, seed).train;
  if (config.data.cleaning.enabled.value_or(true)) {
    report.cleaning = fit_cleaning(features, rows, config.data.cleaning, device);
    print_cleaning(console, report.cleaning);
    features = apply_cleaning(features, report.cleaning);
  }
  console.line("Auto-discovering categories");
  report.discovery = discover_categories(features, rows, config.categories, seed, device, loaded);
  report.separation = separation_of(report.discovery.categories, report.discovery.correlation);
  report.rows = features.rows;
  report.fitted_rows = static_cast<int64_t>(rows.size());
  report.names = features.names;
}

}  // namespace

int run_discover(const DiscoverArguments& arguments, Verbosity verbosity) {
  const Config config = configured(arguments);
  if (config.training.threads > 0) set_threads(static_cast<int>(config.training.threads));
  Console console(verbosity);
  DiscoveryReport report;
  report.data = config.data.path;
  report.config = config.categories;
  FeatureMatrix features =
      load_features(config.data.path, config.data.format, config.data.max_samples);
  console.line(fmt::format("Read {} rows of {} features from {}", features.rows, features.cols(),
                           config.data.path));
  try {
    find_categories(features, config, report, console);
  } catch (const Error& error) {  // whoever knows a column does not know the file
    const std::string what = error.what();
    const std::string& mapping = config.categories.mapping_file;
    if (error.kind() != ErrorKind::Data || (!mapping.empty() && what.starts_with(mapping))) throw;
    throw Error(error.kind(), config.data.path + ": " + what);
  }
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
