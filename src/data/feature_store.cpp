#include "data/feature_store.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "tessera/error.h"
#include "tessera/files/host_array.h"

namespace tessera {
namespace {

constexpr int64_t kMaxRowSize = int64_t{1} << 26;  // more is damage: a row of 256 MB
constexpr std::string_view kPerTrajectory = "per_trajectory/features";

std::string list_text(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

int64_t product(std::span<const int64_t> shape) {
  int64_t size = 1;
  for (const int64_t dim : shape) size *= dim;
  return size;
}

/// <stem>_0, <stem>_1, ...
std::vector<std::string> numbered(const std::string& stem, int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back(stem + "_" + std::to_string(i));
  return names;
}

/// The names in the file, or numbered ones; one for each of `count` columns, all different.
std::vector<std::string> column_names(const FeatureStore& store, const std::string& family,
                                      const std::string& stem, int64_t count,
                                      const std::string& where) {
  std::vector<std::string> names = store.names(family);
  if (names.empty()) return numbered(stem, count);
  require(static_cast<int64_t>(names.size()) == count, ErrorKind::Data, where, ": has ", count,
          " columns but ", names.size(), " names; write one name for each column, or none");
  std::set<std::string> seen;
  for (const std::string& name : names)
    require(seen.insert(name).second, ErrorKind::Data, where, ": two columns are named '", name,
            "'; give every column a name of its own");
  return names;
}

struct LocatedFamily {
  FeatureFamily family;
  std::string array;
};

LocatedFamily locate_family(const FeatureStore& store, const std::string& name) {
  const std::vector<std::string> candidates = store.candidates(name);
  for (const std::string& array : candidates) {
    const auto shape = store.shape(array);
    if (!shape) continue;
    const std::string where = store.where(array);
    require(shape->size() == 2 || shape->size() == 3, ErrorKind::Data, where, ": has rank ",
            shape->size(), ", shape ", shape_text(*shape),
            "; [samples, features] or [samples, steps, features] is expected");
    require(product(std::span(*shape).subspan(1)) > 0, ErrorKind::Data, where, ": has shape ",
            shape_text(*shape), ", no values in a row; leave the family out");
    const int64_t cols = shape->back();
    (void)array_bytes(DType::F32, *shape, where);
    require(product(std::span(*shape).subspan(1)) <= kMaxRowSize, ErrorKind::Data, where,
            ": has shape ", shape_text(*shape), "; at most ", kMaxRowSize,
            " values a row can be used");
    FeatureFamily family = {name, 0, column_names(store, name, name, cols, where)};
    if (shape->size() == 3 && array.ends_with(kPerTrajectory)) {
      std::vector<std::string> names;
      for (int64_t m = 0; m < (*shape)[1]; ++m)
        for (const std::string& feature : family.features)
          names.push_back(feature + "_t" + std::to_string(m));
      family.features = std::move(names);
    } else if (shape->size() == 3) {
      family.steps = (*shape)[1];
    }
    return {std::move(family), array};
  }
  fail(ErrorKind::Data, store.where(candidates.front()), ": there is no family '", name,
       "'; families found: ", list_text(store.families()));
}

/// A FeatureSource over a store.
class StoredFeatures : public FeatureSource {
 public:
  StoredFeatures(const std::string& path, std::unique_ptr<FeatureStore> store, FeatureLayout layout,
                 std::vector<std::string> arrays)
      : FeatureSource(path, std::move(layout)),
        store_(std::move(store)),
        arrays_(std::move(arrays)) {}

  FeatureBlock read(int64_t first, int64_t last) const override {
    const FeatureLayout& l = layout();
    TESSERA_CHECK(first >= 0 && first <= last && last <= l.rows, "rows ", first, " to ", last,
                  " of ", l.rows);
    FeatureBlock block;
    block.rows = last - first;
    for (const std::string& array : arrays_)
      block.families.push_back(store_->read(array, first, last));
    if (!l.input_shape.empty()) block.inputs = read_inputs(first, last);
    if (!l.parameters.empty()) block.parameters = store_->read(store_->parameters(), first, last);
    if (l.has_lengths) block.lengths = read_lengths(first, last);
    return block;
  }

 private:
  std::vector<float> read_inputs(int64_t first, int64_t last) const {
    std::vector<float> values = store_->read(store_->inputs(), first, last);
    const Shape shape = *store_->shape(store_->inputs());
    if (shape.size() != 5) return values;
    const int64_t size = layout().input_size(), trajectories = shape[1];
    std::vector<float> means(static_cast<size_t>((last - first) * size));
    for (int64_t row = 0; row < last - first; ++row)
      for (int64_t i = 0; i < size; ++i) {
        double sum = 0;
        for (int64_t m = 0; m < trajectories; ++m)
          sum +=
              static_cast<double>(values[static_cast<size_t>((row * trajectories + m) * size + i)]);
        means[static_cast<size_t>(row * size + i)] =
            static_cast<float>(sum / static_cast<double>(trajectories));
      }
    return means;
  }

  std::vector<int32_t> read_lengths(int64_t first, int64_t last) const {
    int64_t longest = 0;
    for (const FeatureFamily& family : layout().families) longest = std::max(longest, family.steps);
    const std::vector<float> values = store_->read(store_->lengths(), first, last);
    std::vector<int32_t> lengths;
    for (size_t i = 0; i < values.size(); ++i) {
      const bool fits = values[i] >= 0 && values[i] == std::floor(values[i]) &&
                        (longest == 0 || values[i] <= static_cast<float>(longest));
      require(fits, ErrorKind::Data, store_->where(store_->lengths()), ": sample ",
              first + static_cast<int64_t>(i), " has length ", values[i],
              "; a whole number of steps from 0 to ", longest, " is expected");
      lengths.push_back(static_cast<int32_t>(values[i]));
    }
    return lengths;
  }

  std::unique_ptr<FeatureStore> store_;
  std::vector<std::string> arrays_;  // of the families
};

void require_rows(const FeatureStore& store, const std::string& array,
                  const std::string& first_array, int64_t rows) {
  const int64_t found = (*store.shape(array))[0];
  require(found == rows, ErrorKind::Data, store.where(array), ": has ", found, " rows, but ",
          store.where(first_array), " has ", rows,
          "; every part of a data set needs one row for each sample");
}

void require_rank(const FeatureStore& store, const std::string& array, size_t low, size_t high,
                  const char* expected) {
  const Shape shape = *store.shape(array);
  require(shape.size() >= low && shape.size() <= high, ErrorKind::Data, store.where(array),
          ": has rank ", shape.size(), ", shape ", shape_text(shape), "; ", expected,
          " is expected");
}

/// Adds inputs, parameters and lengths to a layout; `first_array` is that of its first family.
void add_parts(const FeatureStore& store, const std::string& first_array, FeatureLayout& layout) {
  if (const auto shape = store.shape(store.inputs())) {
    require_rank(store, store.inputs(), 3, 5, "[samples, channels, height, width]");
    require_rows(store, store.inputs(), first_array, layout.rows);
    layout.input_shape.assign(shape->begin() + (shape->size() == 5 ? 2 : 1), shape->end());
    if (shape->size() == 3) layout.input_shape.insert(layout.input_shape.begin(), 1);
  }
  if (const auto shape = store.shape(store.parameters())) {
    require_rank(store, store.parameters(), 2, 2, "[samples, parameters]");
    require_rows(store, store.parameters(), first_array, layout.rows);
    layout.parameters =
        column_names(store, "", "parameter", shape->back(), store.where(store.parameters()));
  }
  if (store.shape(store.lengths())) {
    require_rank(store, store.lengths(), 1, 1, "[samples]");
    require_rows(store, store.lengths(), first_array, layout.rows);
    layout.has_lengths = true;
  }
}

std::unique_ptr<FeatureSource> make_source(const std::string& path,
                                           std::unique_ptr<FeatureStore> store,
                                           std::vector<std::string> families, FeatureParts parts) {
  if (families.empty()) families = store->families();
  require(!families.empty(), ErrorKind::Data, path,
          ": holds no feature family; a data set has at least one");
  FeatureLayout layout;
  std::vector<std::string> arrays;
  for (const std::string& name : families) {
    LocatedFamily located = locate_family(*store, name);
    layout.families.push_back(std::move(located.family));
    arrays.push_back(std::move(located.array));
  }
  layout.rows = (*store->shape(arrays[0]))[0];
  for (const std::string& array : arrays) require_rows(*store, array, arrays[0], layout.rows);
  if (parts == FeatureParts::All) add_parts(*store, arrays[0], layout);
  return std::make_unique<StoredFeatures>(path, std::move(store), std::move(layout),
                                          std::move(arrays));
}

bool is_hdf5_name(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension().string();
  return extension == ".h5" || extension == ".hdf5";
}

}  // namespace

std::unique_ptr<FeatureSource> open_features(const std::string& path,
                                             const std::vector<std::string>& families,
                                             FeatureParts parts) {
  std::error_code ignored;
  auto store = std::filesystem::is_directory(path, ignored) ? open_feature_folder(path)
                                                            : open_hdf5_features(path);
  return make_source(path, std::move(store), families, parts);
}

std::unique_ptr<FeatureWriter> create_features(const std::string& path, const FeatureLayout& layout,
                                               const std::string& config) {
  return is_hdf5_name(path) ? create_hdf5_features(path, layout, config)
                            : create_feature_folder(path, layout, config);
}

std::vector<FeaturePart> parts_of(const FeatureLayout& layout) {
  std::vector<FeaturePart> parts;
  for (size_t i = 0; i < layout.families.size(); ++i) {
    const FeatureFamily& family = layout.families[i];
    Shape shape = {layout.rows};
    if (family.steps > 0) shape.push_back(family.steps);
    shape.push_back(family.cols());
    parts.push_back({FeaturePart::Family, i, std::move(shape)});
  }
  if (!layout.input_shape.empty()) {
    Shape shape = layout.input_shape;
    shape.insert(shape.begin(), layout.rows);
    parts.push_back({FeaturePart::Inputs, 0, std::move(shape)});
  }
  if (!layout.parameters.empty())
    parts.push_back({FeaturePart::Parameters,
                     0,
                     {layout.rows, static_cast<int64_t>(layout.parameters.size())}});
  if (layout.has_lengths) parts.push_back({FeaturePart::Lengths, 0, {layout.rows}});
  return parts;
}

std::span<const std::byte> bytes_of(const FeatureBlock& block, const FeaturePart& part) {
  switch (part.kind) {
    case FeaturePart::Family:
      return std::as_bytes(std::span(block.families.at(part.family)));
    case FeaturePart::Inputs:
      return std::as_bytes(std::span(block.inputs));
    case FeaturePart::Parameters:
      return std::as_bytes(std::span(block.parameters));
    case FeaturePart::Lengths:
      return std::as_bytes(std::span(block.lengths));
  }
  return {};
}

void FeatureWriter::append(const FeatureBlock& block) {
  TESSERA_CHECK(rows_ + block.rows <= layout_.rows, "append: rows ", rows_, " to ",
                rows_ + block.rows, " of ", layout_.rows);
  for (const FeaturePart& part : parts_of(layout_)) {
    const int64_t row_size = product(std::span(part.shape).subspan(1));
    TESSERA_CHECK(bytes_of(block, part).size() == static_cast<size_t>(4 * block.rows * row_size),
                  "append: part ", part.kind, " of ", bytes_of(block, part).size(), " bytes for ",
                  block.rows, " rows of ", row_size, " values");
  }
  append_rows(block, rows_);
  rows_ += block.rows;
}

void FeatureWriter::commit() {
  TESSERA_CHECK(rows_ == layout_.rows, "commit: ", rows_, " rows of ", layout_.rows);
  finish();
}

}  // namespace tessera
