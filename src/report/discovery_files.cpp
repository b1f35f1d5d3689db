#include "tessera/report/discovery_files.h"

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "tessera/error.h"
#include "tessera/files/file_writer.h"
#include "tessera/report/discovery_charts.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

Json removed_json(const std::vector<RemovedFeature>& removed) {
  Json list = Json::array();
  for (const RemovedFeature& feature : removed)
    list.push_back({{"feature", feature.name}, {"reason", feature.reason}});
  return list;
}

Json score_json(const CutScore& score) {
  return {{"clusters", score.clusters},
          {"modularity", score.modularity},
          {"silhouette", score.silhouette},
          {"dispersion", score.dispersion}};
}

Json clustering_json(const FeatureClustering& clustering, const std::vector<std::string>& names) {
  Json json = {{"family", clustering.family.empty() ? Json() : Json(clustering.family)},
               {"features", clustering.features.size()},
               {"chosen", score_json(clustering.chosen)},
               {"cut_height", clustering.cut_height},
               {"features_reassigned", clustering.reassigned},
               {"unrelated", Json::array()},
               {"chance_correlation", clustering.chance_correlation},
               {"candidates", Json::array()}};
  for (const int64_t column : clustering.unrelated) json["unrelated"].push_back(names[column]);
  for (const CutScore& score : clustering.scores) json["candidates"].push_back(score_json(score));
  return json;
}

Json separation_json(const Separation& separation, const std::vector<std::string>& names) {
  Json json = {{"within", separation.within}, {"between", separation.between}};
  if (separation.first >= 0)
    json["worst_pair"] = {{"categories",
                           {separation.categories[separation.first].name,
                            separation.categories[separation.second].name}},
                          {"mean_correlation", separation.worst}};
  for (const CategorySeparation& category : separation.categories) {
    Json& entry = json["categories"][category.name];
    entry = {{"features", category.features},
             {"within", category.within},
             {"between", category.between}};
    if (category.inside >= 0)
      entry["worst_pair"] = {{"inside", names[category.inside]},
                             {"outside", names[category.outside]},
                             {"correlation", category.worst}};
  }
  return json;
}

/// A file of the report before it is there.
struct Part {
  std::string name, text;
};

std::vector<Part> parts_of(const DiscoveryReport& report) {
  const CategoryDiscovery& found = report.discovery;
  std::vector<Part> parts = {
      {"categories.json", mapping_json(found.categories, report.names)},
      {"report.json", report_json(report)},
      {"heat_map.svg", heat_map_svg(found.correlation, found.categories, report.names)}};
  for (const FeatureClustering& clustering : found.clusterings) {
    std::string family = clustering.family;
    for (char& c : family)
      if (c == '/' || c == '\0') c = '_';
    parts.push_back({family.empty() ? "dendrogram.svg" : "dendrogram_" + family + ".svg",
                     dendrogram_svg(clustering, found.categories, report.names)});
  }
  return parts;
}

/// A folder that goes again unless it is kept, where this made it.
class NewFolder {
 public:
  explicit NewFolder(const std::string& path) : path_(path) {
    std::error_code error;
    existed_ = fs::exists(path, error);
    require(!existed_ || fs::is_directory(path, error), ErrorKind::Data, path,
            ": is a file, a folder is needed; choose another with --output");
    fs::create_directories(path, error);
    require(!error, ErrorKind::Data, path, ": the folder cannot be made (", error.message(),
            "); choose another with --output");
  }
  ~NewFolder() {
    std::error_code error;
    if (!existed_ && !kept_) fs::remove(path_, error);  // only where it is empty
  }
  void keep() { kept_ = true; }

 private:
  std::string path_;
  bool existed_ = false, kept_ = false;
};

}  // namespace

std::string report_json(const DiscoveryReport& report) {
  Json json = {{"data", report.data},
               {"rows", report.rows},
               {"fitted_rows", report.fitted_rows},
               {"features", report.names.size()},
               {"excluded", removed_json(report.excluded)},
               {"removed", removed_json(report.cleaning.removed)},
               {"filled", Json::array()},
               {"capped", Json::array()}};
  for (const CleanedFeature& feature : report.cleaning.kept) {
    if (feature.filled > 0)
      json["filled"].push_back({{"feature", feature.name},
                                {"values", feature.filled},
                                {"reason", "missing: NaN became the median"},
                                {"median", feature.fill}});
    if (feature.capped > 0)
      json["capped"].push_back({{"feature", feature.name},
                                {"values", feature.capped},
                                {"reason", "outliers: beyond the limits of data.cleaning.outliers"},
                                {"low", feature.low},
                                {"high", feature.high}});
  }
  json["clustering"] = {{"distance", report.config.distance},
                        {"linkage", report.config.linkage},
                        {"k_selection", report.config.k_selection}};
  json["clusterings"] = Json::array();
  for (const FeatureClustering& clustering : report.discovery.clusterings)
    json["clusterings"].push_back(clustering_json(clustering, report.names));
  json["separation"] = separation_json(report.separation, report.names);
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::vector<std::string> write_discovery(const std::string& folder, const DiscoveryReport& report) {
  const std::vector<Part> parts = parts_of(report);
  NewFolder made(folder);
  std::vector<std::unique_ptr<FileWriter>> files;
  std::vector<std::string> names;
  for (const Part& part : parts) {
    files.push_back(std::make_unique<FileWriter>((fs::path(folder) / part.name).string()));
    files.back()->write(part.text);
    names.push_back(part.name);
  }
  for (const auto& file : files) file->commit();
  made.keep();
  return names;
}

}  // namespace tessera
