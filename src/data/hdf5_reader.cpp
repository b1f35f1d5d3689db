// A data set in an HDF5 file, read.

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "data/bytes.h"
#include "data/feature_store.h"
#include "data/hdf5_file.h"
#include "tessera/error.h"
#include "tessera/files/byte_source.h"
#include "tessera/files/host_array.h"

namespace tessera {
namespace {

using hdf5::Handle;
using hdf5::Session;
using Json = nlohmann::ordered_json;

constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";

/// Opens for reading; tells a file of another kind from one that is cut off.
Handle open_file(const std::string& path) {
  const FileSource source(path);  // refuses folders, devices, missing files
  const auto bytes = source.first_bytes(kSignature.size());
  require(as_text(bytes) == kSignature, ErrorKind::Data, path,
          ": is not an HDF5 file; an HDF5 file or a folder with features/<family>.npy is expected");
  Handle file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  require(static_cast<bool>(file), ErrorKind::Data, path, ": is cut off or damaged (",
          hdf5::reason(), "); make or copy it again");
  return file;
}

herr_t note_name(hid_t, const char* name, const H5L_info_t*, void* names) {
  static_cast<std::vector<std::string>*>(names)->emplace_back(name);
  return 0;
}

class Hdf5Store : public FeatureStore {
 public:
  explicit Hdf5Store(const std::string& path) : path_(path) {
    const Session session;
    file_ = open_file(path);
  }
  ~Hdf5Store() override {
    const Session session;
    datasets_.clear();
    file_ = Handle();
  }

  std::string where(const std::string& array) const override { return path_ + ":" + array; }

  std::optional<Shape> shape(const std::string& array) const override {
    const Session session;
    if (!exists(array)) return {};
    const Handle space(H5Dget_space(dataset(array)), H5Sclose);
    const int rank = H5Sget_simple_extent_ndims(space.get());
    require(rank >= 1, ErrorKind::Data, where(array),
            ": is a single value; an array with a row for each sample is expected");
    std::vector<hsize_t> dims(static_cast<size_t>(rank));
    H5Sget_simple_extent_dims(space.get(), dims.data(), nullptr);
    return Shape(dims.begin(), dims.end());
  }

  std::vector<float> read(const std::string& array, int64_t first, int64_t last) const override {
    const Session session;
    Shape part = *shape(array);
    part[0] = last - first;
    const int64_t bytes = array_bytes(DType::F32, part, where(array));
    std::vector<float> values(static_cast<size_t>(bytes) / sizeof(float));
    if (values.empty()) return values;
    const hdf5::RowSpace space(dataset(array), first, part);
    require(space.file && H5Dread(dataset(array), H5T_NATIVE_FLOAT, space.memory.get(),
                                  space.file.get(), H5P_DEFAULT, values.data()) >= 0,
            ErrorKind::Data, where(array), ": rows ", first, " to ", last, " cannot be read (",
            hdf5::reason(), "); the file is damaged, make or copy it again");
    return values;
  }

  /// In the order they were made, where the file kept it; else by name.
  std::vector<std::string> families() const override {
    const Session session;
    std::vector<std::string> names;
    if (!exists("/features")) return names;
    const Handle group(H5Gopen2(file_.get(), "/features", H5P_DEFAULT), H5Gclose);
    hsize_t from = 0;
    if (H5Literate(group.get(), H5_INDEX_CRT_ORDER, H5_ITER_INC, &from, note_name, &names) < 0) {
      names.clear();
      from = 0;
      H5Literate(group.get(), H5_INDEX_NAME, H5_ITER_INC, &from, note_name, &names);
    }
    std::erase_if(names, [&](const std::string& name) {
      const std::vector<std::string> arrays = candidates(name);
      return std::none_of(arrays.begin(), arrays.end(),
                          [&](const std::string& array) { return exists(array); });
    });
    return names;
  }

  std::vector<std::string> candidates(const std::string& family) const override {
    const std::string group = "/features/" + family;
    return {group + "/features", group + "/per_trajectory/features",
            group + "/aggregated/features"};
  }

  std::vector<std::string> names(const std::string& family) const override {
    const Session session;
    const char* attribute = family.empty() ? "dimension_names" : "feature_registry";
    const std::string object = family.empty() ? parameters() : "/features/" + family;
    const Handle handle(H5Oopen(file_.get(), object.c_str(), H5P_DEFAULT), H5Oclose);
    if (!handle) return {};
    const std::vector<std::string> texts = hdf5::read_text_attribute(handle.get(), attribute);
    if (texts.empty()) return {};
    // Names of parameters are a JSON list or an array of texts.
    if (family.empty() && (texts.size() > 1 || !texts[0].starts_with('['))) return texts;
    const Json json = Json::parse(texts[0], nullptr, false);
    try {
      return family.empty() ? json.get<std::vector<std::string>>() : registered_names(json);
    } catch (const Json::exception&) {
      fail(ErrorKind::Data, where(object), ": its attribute ", attribute, " is ",
           printable(texts[0]),
           family.empty() ? "; a JSON list of names is expected"
                          : R"(; JSON {"<category>": {"<name>": <column>}} is expected)");
    }
  }

  std::string inputs() const override { return "/inputs/fields"; }
  std::string parameters() const override { return "/parameters/params"; }
  std::string lengths() const override { return "/metadata/lengths"; }

 private:
  /// Names of {category: {name: column}} by column.
  static std::vector<std::string> registered_names(const Json& registry) {
    std::map<int64_t, std::string> by_column;
    for (const auto& [category, columns] : registry.get<std::map<std::string, Json>>())
      for (const auto& [name, column] : columns.get<std::map<std::string, int64_t>>())
        by_column[column] = name;
    std::vector<std::string> names;
    for (const auto& [column, name] : by_column) names.push_back(name);
    return names;
  }

  /// Every group on the way is looked for too, as the library demands.
  bool exists(const std::string& array) const {
    for (size_t end = array.find('/', 1);; end = array.find('/', end + 1)) {
      const std::string part = array.substr(0, end);
      if (H5Lexists(file_.get(), part.c_str(), H5P_DEFAULT) <= 0) return false;
      if (end == std::string::npos) return true;
    }
  }

  hid_t dataset(const std::string& array) const {
    Handle& open = datasets_[array];
    if (open) return open.get();
    const Handle access(H5Pcreate(H5P_DATASET_ACCESS), H5Pclose);
    // A chunk of 100 samples of 256 x 345 floats is 35 MB; smaller caches would unpack it again for
    // every block of rows that ends inside it.
    H5Pset_chunk_cache(access.get(), 521, size_t{64} << 20, 1.0);
    open = Handle(H5Dopen2(file_.get(), array.c_str(), access.get()), H5Dclose);
    require(static_cast<bool>(open), ErrorKind::Data, where(array),
            ": is no data set; an array of numbers is expected there");
    const Handle type(H5Dget_type(open.get()), H5Tclose);
    const H5T_class_t kind = H5Tget_class(type.get());
    require(kind == H5T_FLOAT || kind == H5T_INTEGER, ErrorKind::Data, where(array),
            ": holds no numbers; floats or integers are expected");
    return open.get();
  }

  std::string path_;
  Handle file_;
  mutable std::map<std::string, Handle> datasets_;
};

}  // namespace

std::unique_ptr<FeatureStore> open_hdf5_features(const std::string& path) {
  return std::make_unique<Hdf5Store>(path);
}

}  // namespace tessera
