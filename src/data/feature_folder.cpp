// A data set as a folder of .npy files.

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "data/bytes.h"
#include "data/feature_store.h"
#include "tessera/error.h"
#include "tessera/files/file_writer.h"
#include "tessera/files/npy.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kInputs = "inputs/fields.npy";
constexpr const char* kParameters = "parameters/params.npy";
constexpr const char* kLengths = "lengths.npy";
constexpr const char* kNames = "names.json";
constexpr const char* kParameterNames = "parameters/params";  // no family has a slash in its name

std::string family_file(const std::string& family) { return "features/" + family + ".npy"; }

class FolderStore : public FeatureStore {
 public:
  explicit FolderStore(const std::string& path) : path_(path) {
    std::error_code ignored;
    require(fs::is_directory(path_ / "features", ignored), ErrorKind::Data, path,
            ": is a folder without a folder 'features'; an HDF5 file or a folder with "
            "features/<family>.npy is expected");
    if (fs::exists(path_ / kNames, ignored)) read_names();
  }

  std::string where(const std::string& array) const override { return (path_ / array).string(); }

  std::optional<Shape> shape(const std::string& array) const override {
    std::error_code ignored;
    if (!fs::exists(path_ / array, ignored)) return {};
    return file(array).info().shape;
  }

  std::vector<float> read(const std::string& array, int64_t first, int64_t last) const override {
    return file(array).read_rows(first, last).to_floats(where(array));
  }

  /// Those of names.json in its order, then the other files by name.
  std::vector<std::string> families() const override {
    std::vector<std::string> found, rest;
    std::error_code ignored;
    for (const auto& [family, names] : names_.items())
      if (fs::exists(path_ / family_file(family), ignored)) found.push_back(family);
    for (const auto& entry : fs::directory_iterator(path_ / "features", ignored))
      if (entry.path().extension() == ".npy" && !names_.contains(entry.path().stem().string()))
        rest.push_back(entry.path().stem().string());
    std::sort(rest.begin(), rest.end());
    found.insert(found.end(), rest.begin(), rest.end());
    return found;
  }

  std::vector<std::string> candidates(const std::string& family) const override {
    return {family_file(family)};
  }

  std::vector<std::string> names(const std::string& family) const override {
    const std::string key = family.empty() ? kParameterNames : family;
    if (!names_.contains(key)) return {};
    return names_.at(key).get<std::vector<std::string>>();
  }

  std::string inputs() const override { return kInputs; }
  std::string parameters() const override { return kParameters; }
  std::string lengths() const override { return kLengths; }

 private:
  void read_names() {
    const std::string name = (path_ / kNames).string();
    std::ifstream stream(name);
    names_ = Json::parse(stream, nullptr, false);
    const bool lists =
        names_.is_object() && std::all_of(names_.begin(), names_.end(), [](const Json& list) {
          return list.is_array() &&
                 std::all_of(list.begin(), list.end(), [](const Json& n) { return n.is_string(); });
        });
    require(lists, ErrorKind::Data, name,
            R"(: is not names of features; {"<family>": ["<feature>", ...], ...} is expected)");
  }

  const NpyFile& file(const std::string& array) const {
    auto found = files_.find(array);
    if (found == files_.end()) found = files_.try_emplace(array, where(array)).first;
    return found->second;
  }

  fs::path path_;
  Json names_ = Json::object();
  mutable std::map<std::string, NpyFile> files_;  // opened at first use
};

/// Writes into `<path>.tmp.<pid>`, which becomes the folder when all is written.
class FolderWriter : public FeatureWriter {
 public:
  FolderWriter(const std::string& path, const FeatureLayout& layout, const std::string& config)
      : FeatureWriter(layout),
        path_(fs::path(path).has_filename() ? fs::path(path) : fs::path(path).parent_path()) {
    std::error_code error;
    const bool taken =
        fs::exists(path_, error) && !(fs::is_directory(path_, error) && fs::is_empty(path_, error));
    require(!taken, ErrorKind::Data, path,
            ": exists already; remove it, or name another folder (or a file that ends in .h5)");
    temporary_ = path_.string() + ".tmp." + std::to_string(::getpid());
    fs::remove_all(temporary_, error);
    for (const char* folder : {"features", "inputs", "parameters"}) {
      fs::create_directories(temporary_ / folder, error);
      if (error) {
        remove();
        fail(ErrorKind::Data, path, ": cannot be made (", error.message(),
             "); choose a folder that can be written to");
      }
    }
    try {
      write_descriptions(config);
      for (const FeaturePart& part : parts_of(layout))
        files_.push_back({part, std::make_unique<NpyWriter>((temporary_ / file_of(part)).string(),
                                                            dtype_of(part), part.shape)});
    } catch (...) {
      remove();
      throw;
    }
  }
  ~FolderWriter() override { remove(); }

 private:
  struct OpenPart {
    FeaturePart part;
    std::unique_ptr<NpyWriter> file;
  };

  static DType dtype_of(const FeaturePart& part) {
    return part.kind == FeaturePart::Lengths ? DType::I32 : DType::F32;
  }

  std::string file_of(const FeaturePart& part) const {
    switch (part.kind) {
      case FeaturePart::Family:
        return family_file(layout().families[part.family].name);
      case FeaturePart::Inputs:
        return kInputs;
      case FeaturePart::Parameters:
        return kParameters;
      case FeaturePart::Lengths:
        return kLengths;
    }
    return {};
  }

  void write_descriptions(const std::string& config) const {
    Json names;
    for (const FeatureFamily& family : layout().families) names[family.name] = family.features;
    if (!layout().parameters.empty()) names[kParameterNames] = layout().parameters;
    write_file((temporary_ / kNames).string(), names.dump(1) + "\n");
    write_file((temporary_ / "config.json").string(), config + "\n");
  }

  void append_rows(const FeatureBlock& block, int64_t) override {
    for (OpenPart& open : files_) open.file->append(bytes_of(block, open.part));
  }

  void finish() override {
    for (OpenPart& open : files_) open.file->commit();
    files_.clear();
    std::error_code error;
    for (const char* folder : {"inputs", "parameters"})
      if (fs::is_empty(temporary_ / folder, error)) fs::remove(temporary_ / folder, error);
    fs::rename(temporary_, path_, error);
    require(!error, ErrorKind::Data, path_.string(), ": cannot be put in place (", error.message(),
            "); choose another folder");
    temporary_.clear();
  }

  void remove() noexcept {
    files_.clear();  // their temporary files lie in the folder
    std::error_code ignored;
    if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
  }

  fs::path path_, temporary_;
  std::vector<OpenPart> files_;
};

}  // namespace

std::unique_ptr<FeatureStore> open_feature_folder(const std::string& path) {
  return std::make_unique<FolderStore>(path);
}

std::unique_ptr<FeatureWriter> create_feature_folder(const std::string& path,
                                                     const FeatureLayout& layout,
                                                     const std::string& config) {
  return std::make_unique<FolderWriter>(path, layout, config);
}

}  // namespace tessera
