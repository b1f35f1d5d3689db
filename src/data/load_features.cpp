#include "tessera/load_features.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "tessera/error.h"
#include "tessera/feature_data.h"
#include "tessera/files.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// Names and families of the columns, from the file of names beside the file.
void name_columns(FeatureMatrix& features, const fs::path& file, int64_t cols) {
  std::error_code error;
  std::string beside = fs::path(file).replace_extension(".names.json").string();
  if (!fs::exists(beside, error)) beside = (file.parent_path() / "names.json").string();
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
    for (const auto& [family, names] : json.items()) {
      require(family.find('/') == std::string::npos, ErrorKind::Data, beside, ": family ", family,
              " has a / in its name, which stands between family and feature; write another sign");
      for (const Json& name : names) {
        features.names.push_back(family + '/' + name.get<std::string>());
        features.families.push_back(family);
      }
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

void check_features(const FeatureMatrix& features, const std::string& where, int64_t first_row) {
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
      fail(ErrorKind::Data, where, ": row ", first_row + static_cast<int64_t>(i) / features.cols(),
           ", feature ", features.names[i % features.names.size()],
           " is infinite; write NaN where a value is missing");
}

namespace {

bool begins_as_hdf5(const std::string& path) {
  char bytes[8] = {};
  std::ifstream(path, std::ios::binary).read(bytes, sizeof bytes);
  return std::string_view(bytes, sizeof bytes) == "\x89HDF\r\n\x1a\n";
}

/// Whether a path is a data set of families rather than one array.
bool holds_families(const std::string& path, const std::string& format) {
  std::error_code error;
  return format == "hdf5" || format == "folder" ||
         (format == "auto" &&
          (path.ends_with(".h5") || path.ends_with(".hdf5") || fs::is_directory(path, error) ||
           begins_as_hdf5(path)));
}

void require_matrix(const std::vector<int64_t>& shape, const std::string& path) {
  require(shape.size() == 2, ErrorKind::Data, path, ": shape ", shape_text(shape),
          "; features are [samples, features]");
}

/// The families of rank 2: series and raw inputs beside them may not fit in memory.
std::unique_ptr<FeatureSource> open_families(const std::string& path,
                                             FeatureParts parts = FeatureParts::All) {
  std::vector<std::string> names;
  const auto all_families = open_features(path, {}, parts);
  for (const FeatureFamily& family : all_families->layout().families)
    if (family.steps == 0) names.push_back(family.name);
  require(!names.empty(), ErrorKind::Data, path,
          ": holds no family of rank 2 [samples, features]; series need an encoder first");
  return open_features(path, names, parts);
}

FeatureMatrix stream_families(const std::string& path, std::optional<int64_t> max_rows) {
  const auto source = open_families(path);
  FeatureMatrix all;
  FeatureStream stream(*source);
  while (std::optional<FeatureBlock> block = stream.next()) {
    FeatureMatrix part = feature_matrix({source->layout(), std::move(*block), 0});
    all.names = std::move(part.names);
    all.families = std::move(part.families);
    all.rows += part.rows;
    all.values.insert(all.values.end(), part.values.begin(), part.values.end());
    if (max_rows && all.rows >= *max_rows) break;
  }
  if (max_rows) all.rows = std::min(all.rows, *max_rows);
  all.values.resize(static_cast<size_t>(all.rows * all.cols()));
  return all;
}

}  // namespace

FeatureMatrix load_features(const std::string& path, const std::string& format,
                            std::optional<int64_t> max_rows) {
  require(!path.empty(), ErrorKind::Config,
          "data.path is not given; name a file of features, or use --input");
  if (holds_families(path, format)) {
    FeatureMatrix features = stream_families(path, max_rows);
    check_features(features, path);
    return features;
  }
  const HostArray array = load_array(path, format);
  require_matrix(array.shape, path);
  FeatureMatrix features;
  name_columns(features, path, array.row_size());
  features.rows = max_rows ? std::min(*max_rows, array.rows()) : array.rows();
  features.values = array.to_floats(path);
  features.values.resize(static_cast<size_t>(features.rows * features.cols()));
  check_features(features, path);
  return features;
}

FeatureReader::FeatureReader(const std::string& path) : path_(path) {
  if (holds_families(path, "auto")) {
    families_ = open_families(path, FeatureParts::Families);
    rows_ = families_->layout().rows;
    require(rows_ > 0, ErrorKind::Data, path, ": holds no rows");
  } else {
    array_ = std::make_unique<RowFile>(path);
    require_matrix(array_->shape(), path);
    rows_ = array_->rows();
    name_columns(columns_, path, array_->cols());
  }
}

FeatureReader::~FeatureReader() = default;

FeatureMatrix FeatureReader::read(int64_t first, int64_t last) const {
  FeatureMatrix rows = columns_;
  if (families_) {
    rows = feature_matrix({families_->layout(), families_->read(first, last), 0});
  } else {
    rows.rows = last - first;
    rows.values = array_->read(first, last).to_floats(path_);
  }
  check_features(rows, path_, first);
  return rows;
}

}  // namespace tessera
