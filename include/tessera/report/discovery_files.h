#pragma once

#include <string>
#include <vector>

#include "tessera/cleaning.h"
#include "tessera/discovery.h"

namespace tessera {

/// What was done to find categories, and what was found.
struct DiscoveryReport {
  std::string data;                      ///< the path of the features
  int64_t rows = 0, fitted_rows = 0;     ///< of the data; of them that cleaning and clustering saw
  std::vector<RemovedFeature> excluded;  ///< by data.exclude_features
  Cleaning cleaning;                     ///< empty where there was none
  std::vector<std::string> names;        ///< of the features that have a category, by column
  CategoriesConfig config;
  CategoryDiscovery discovery;
  Separation separation;
};

/// The whole report as JSON: features by name, each removed one with its reason, the scores of the
/// candidate cuts, the separation of each category.
std::string report_json(const DiscoveryReport& report);

/// Writes categories.json (a mapping file), report.json, heat_map.svg and, for each clustering,
/// dendrogram.svg (per family dendrogram_<family>.svg) to `folder`, which is made where it is missing.
/// Returns the names. Throws Error (Data) where that is not possible; then no file has changed, and a
/// folder it made is gone.
std::vector<std::string> write_discovery(const std::string& folder, const DiscoveryReport& report);

}  // namespace tessera
