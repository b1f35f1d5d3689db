#include "tessera/load_features.h"

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "tessera/error.h"
#include "tessera/files.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Names and families of the columns, from the names.json beside the file.
void name_columns(FeatureMatrix& features, const fs::path& file, int64_t cols) {
  const std::string beside = (file.parent_path() / "names.json").string();
  std::error_code error;
  if (!fs::exists(beside, error)) {
    features.families.assign(static_cast<size_t>(cols), "features");
    for (int64_t i = 0; i < cols; ++i) features.names.push_back("features/" + std::to_string(i));
    return;
  }
  const FileSource source(beside);
  const std::vector<std::byte> bytes = source.first_bytes(static_cast<size_t>(source.size()));
  const char* text = reinterpret_cast<const char*>(bytes.data());
  try {
    const Json json = Json::parse(text, text + bytes.size());
    require(json.is_object(), ErrorKind::Data, beside,
            ": is not {\"<family>\": [\"<feature>\", ...], ...}; write one list for each family");
    for (const auto& [family, names] : json.items())
      for (const Json& name : names) {
        features.names.push_back(family + '/' + name.get<std::string>());
        features.families.push_back(family);
      }
  } catch (const Json::exception& problem) {
    fail(ErrorKind::Data, beside, ": is not {\"<family>\": [\"<feature>\", ...], ...} (",
         problem.what(), ")");
  }
  require(static_cast<int64_t>(features.names.size()) == cols, ErrorKind::Data, beside, ": names ",
          features.names.size(), " features, ", file.string(), " has ", cols,
          " columns; name each column once");
}

}  // namespace

void check_features(const FeatureMatrix& features, const std::string& where) {
  require(features.rows > 0 && features.cols() > 0, ErrorKind::Data, where, ": ", features.rows,
          " rows of ", features.cols(), " features; at least one of each is needed");
  TESSERA_CHECK(features.families.size() == features.names.size() &&
                    static_cast<int64_t>(features.values.size()) == features.rows * features.cols(),
                where, ": ", features.names.size(), " names, ", features.families.size(),
                " families and ", features.values.size(), " values do not agree");
  std::unordered_set<std::string_view> seen;
  for (const std::string& name : features.names)
    require(seen.insert(name).second, ErrorKind::Data, where, ": two features are named ", name,
            "; names must differ");
  for (size_t i = 0; i < features.values.size(); ++i)
    if (std::isinf(features.values[i])) [[unlikely]]
      fail(ErrorKind::Data, where, ": row ", static_cast<int64_t>(i) / features.cols(),
           ", feature ", features.names[i % features.names.size()],
           " is infinite; write NaN where a value is missing");
}

FeatureMatrix load_features(const std::string& path, const std::string& format,
                            std::optional<int64_t> max_rows) {
  require(!path.empty(), ErrorKind::Config,
          "data.path is not given; name a file of features, or use --input");
  const HostArray array = load_array(path, format);
  require(array.shape.size() == 2, ErrorKind::Data, path, ": shape ", shape_text(array.shape),
          "; features are [samples, features]");
  FeatureMatrix features;
  name_columns(features, path, array.row_size());
  features.rows = max_rows ? std::min(*max_rows, array.rows()) : array.rows();
  features.values = array.to_floats(path);
  features.values.resize(static_cast<size_t>(features.rows * features.cols()));
  check_features(features, path);
  return features;
}

}  // namespace tessera
