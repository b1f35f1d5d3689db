#include "tessera/data.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "tessera/files.h"
#include "tessera/kernels/permutation.h"

namespace tessera {

namespace fs = std::filesystem;

std::string data_file(const std::string& path, Split split) {
  require(!path.empty(), ErrorKind::Config, "data.path is not given; name an IDX folder or a .npy, "
          ".npz or IDX file");
  std::error_code error;
  if (!fs::is_directory(path, error)) return path;
  const std::string stem =
      split == Split::Train ? "train-images-idx3-ubyte" : "t10k-images-idx3-ubyte";
  for (const std::string& name : {stem, stem + ".gz"})
    if (fs::exists(fs::path(path) / name, error)) return (fs::path(path) / name).string();
  fail(ErrorKind::Data, path, ": a folder without ", stem, " or ", stem,
       ".gz; give an IDX data set or a file");
}

HostRows to_rows(const HostArray& array, const std::string& where) {
  HostRows rows;
  rows.where = where;
  require(!array.shape.empty(), ErrorKind::Data, where, ": a single number; rows are needed");
  rows.rows = array.shape[0];
  rows.row_shape.assign(array.shape.begin() + 1, array.shape.end());
  if (rows.row_shape.empty()) rows.row_shape = {1};
  rows.cols = array.row_size();
  require(rows.rows > 0 && rows.cols > 0, ErrorKind::Data, where, ": shape ",
          shape_text(array.shape), " holds no values; at least one row is needed");
  if (array.dtype == DType::U8) {
    const auto bytes = array.values<uint8_t>();
    rows.bytes.assign(bytes.begin(), bytes.end());
  } else {
    require_finite(array, where);
    rows.values = array.to_floats(where);
  }
  return rows;
}

HostRows load_rows(const std::string& file, std::string_view format,
                   std::optional<int64_t> max_rows) {
  HostRows rows = to_rows(load_array(file, format), file);
  if (max_rows && *max_rows < rows.rows) {
    rows.rows = *max_rows;
    if (rows.bytes.empty()) rows.values.resize(rows.rows * rows.cols);
    else rows.bytes.resize(rows.rows * rows.cols);
  }
  require(rows.rows < INT32_MAX, ErrorKind::Data, file, ": ", rows.rows,
          " rows; at most 2147483646 can be trained on, use data.max_samples");
  return rows;
}

Dataset::Dataset(HostRows rows, const Normalizer& normalizer, Device device)
    : device_(device), row_shape_(rows.row_shape) {
  if (normalizer.has_numbers()) {
    require(static_cast<int64_t>(normalizer.mean.size()) == rows.cols, ErrorKind::Data, rows.where,
            ": ", rows.cols, " features, the model was trained on ", normalizer.mean.size());
    if (rows.values.empty()) rows.values.assign(rows.bytes.begin(), rows.bytes.end());
    rows.bytes.clear();
    for (size_t i = 0; i < rows.values.size(); ++i) {
      const size_t f = i % static_cast<size_t>(rows.cols);
      rows.values[i] = (rows.values[i] - normalizer.mean[f]) * normalizer.scale[f];
    }
  }
  if (normalizer.kind == "unit_range")
    for (size_t i = 0; i < rows.values.size(); ++i)
      if (rows.values[i] < 0 || rows.values[i] > 1) [[unlikely]]
        fail(ErrorKind::Data, rows.where, ": row ", static_cast<int64_t>(i) / rows.cols, ", column ",
             static_cast<int64_t>(i) % rows.cols, " is ", rows.values[i],
             "; the model was trained on bytes divided by 255: give bytes (uint8) or numbers in [0, 1]");
  source_ = {.rows = rows.rows, .cols = rows.cols, .scale = 1};
  if (rows.values.empty()) {
    bytes_ = Buffer<uint8_t>::from_host(rows.bytes, device);
    source_.bytes = bytes_.data();
    if (normalizer.kind == "unit_range") source_.scale = 1.0f / 255;
  } else {
    values_ = Buffer<float>::from_host(rows.values, device);
    source_.values = values_.data();
  }
}

TrainValidation split_rows(int64_t rows, double validation_fraction, uint64_t seed) {
  int64_t held = std::llround(validation_fraction * static_cast<double>(rows));
  if (validation_fraction > 0 && rows > 1) held = std::max<int64_t>(held, 1);
  held = std::min(held, rows - 1);
  TrainValidation split;
  for (int64_t i = 0; i < rows; ++i) {
    const auto row = static_cast<int32_t>(
        kernels::permuted_index(seed, kernels::kStreamSplit, 0, static_cast<uint64_t>(i),
                                static_cast<uint64_t>(rows)));
    (i < held ? split.validation : split.train).push_back(row);
  }
  std::sort(split.train.begin(), split.train.end());
  std::sort(split.validation.begin(), split.validation.end());
  return split;
}

}  // namespace tessera
