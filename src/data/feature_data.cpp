#include "tessera/feature_data.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "data/feature_store.h"
#include "tessera/error.h"

namespace tessera {
namespace {

constexpr int64_t kBlockBytes = int64_t{64} << 20;
constexpr int64_t kChunkRows = 100;  // of the HDF5 files of this layout

/// Whether every value is 0 or missing.
bool is_unfilled(const float* values, int64_t count) {
  return std::all_of(values, values + count, [](float v) { return v == 0 || std::isnan(v); });
}

/// Moves row `from` of a part to row `to`, which is not behind it.
template <class T>
void move_row(std::vector<T>& values, int64_t size, int64_t from, int64_t to) {
  if (from != to) std::copy_n(values.begin() + from * size, size, values.begin() + to * size);
}

/// Calls f(vector, values of a row) for every part that is there.
template <class F>
void for_parts(const FeatureLayout& layout, FeatureBlock& block, F&& f) {
  for (size_t i = 0; i < layout.families.size(); ++i)
    f(block.families[i], layout.families[i].row_size());
  if (!layout.input_shape.empty()) f(block.inputs, layout.input_size());
  if (!layout.parameters.empty())
    f(block.parameters, static_cast<int64_t>(layout.parameters.size()));
  if (layout.has_lengths) f(block.lengths, int64_t{1});
}

/// Returns how many rows were dropped, from all parts alike.
int64_t drop_unfilled(const FeatureLayout& layout, FeatureBlock& block) {
  std::vector<int64_t> kept;
  for (int64_t row = 0; row < block.rows; ++row)
    if (!is_unfilled(layout, block, row)) kept.push_back(row);
  const int64_t dropped = block.rows - static_cast<int64_t>(kept.size());
  if (dropped == 0) return 0;
  for_parts(layout, block, [&](auto& values, int64_t size) {
    for (size_t i = 0; i < kept.size(); ++i)
      move_row(values, size, kept[i], static_cast<int64_t>(i));
    values.resize(kept.size() * static_cast<size_t>(size));
  });
  block.rows = static_cast<int64_t>(kept.size());
  return dropped;
}

}  // namespace

bool is_unfilled(const FeatureLayout& layout, const FeatureBlock& block, int64_t row) {
  const int64_t inputs = layout.input_size();
  if (inputs > 0 && is_unfilled(block.inputs.data() + row * inputs, inputs)) return true;
  for (size_t i = 0; i < layout.families.size(); ++i) {
    const int64_t size = layout.families[i].row_size();
    if (is_unfilled(block.families[i].data() + row * size, size)) return true;
  }
  return false;
}

int64_t FeatureLayout::input_size() const {
  if (input_shape.empty()) return 0;
  int64_t size = 1;
  for (const int64_t dim : input_shape) size *= dim;
  return size;
}

int64_t FeatureLayout::row_size() const {
  int64_t size = input_size() + static_cast<int64_t>(parameters.size()) + (has_lengths ? 1 : 0);
  for (const FeatureFamily& family : families) size += family.row_size();
  return size;
}

FeatureStream::FeatureStream(const FeatureSource& source, int64_t block_rows)
    : source_(source), block_rows_(block_rows) {
  if (block_rows_ <= 0) {
    const int64_t row_bytes = std::max<int64_t>(1, source.layout().row_size()) * 4;
    block_rows_ = std::max<int64_t>(1, kBlockBytes / row_bytes);
    // Whole chunks, so that none is unpacked twice.
    if (block_rows_ > kChunkRows) block_rows_ -= block_rows_ % kChunkRows;
  }
  fetch();
}

FeatureStream::~FeatureStream() {
  if (ahead_.valid()) ahead_.wait();
}

void FeatureStream::fetch() {
  const int64_t first = next_row_;
  if (first >= source_.layout().rows) return;
  next_row_ = std::min(source_.layout().rows, first + block_rows_);
  ahead_ = std::async(std::launch::async,
                      [this, first, last = next_row_] { return source_.read(first, last); });
}

std::optional<FeatureBlock> FeatureStream::next() {
  if (!ahead_.valid()) return {};
  FeatureBlock block = ahead_.get();
  fetch();
  dropped_ += drop_unfilled(source_.layout(), block);
  return block;
}

FeatureSet load_features(const FeatureSource& source, std::optional<int64_t> max_rows) {
  FeatureSet set;
  set.layout = source.layout();
  const int64_t rows = std::min(max_rows.value_or(set.layout.rows), set.layout.rows);
  set.values = source.read(0, rows);
  set.dropped = drop_unfilled(set.layout, set.values);
  set.layout.rows = set.values.rows;
  require(set.values.rows > 0, ErrorKind::Data, source.path(), ": none of its ", rows,
          " rows is filled; a data set needs at least one row that is not 0 everywhere");
  return set;
}

FeatureMatrix feature_matrix(const FeatureSet& set) {
  FeatureMatrix matrix;
  matrix.rows = set.values.rows;
  for (const FeatureFamily& family : set.layout.families)
    if (family.steps == 0)
      for (const std::string& feature : family.features) {
        matrix.names.push_back(family.name + "/" + feature);
        matrix.families.push_back(family.name);
      }
  matrix.values.resize(static_cast<size_t>(matrix.rows * matrix.cols()));
  int64_t first = 0;
  for (size_t i = 0; i < set.layout.families.size(); ++i) {
    const FeatureFamily& family = set.layout.families[i];
    if (family.steps > 0) continue;
    for (int64_t row = 0; row < matrix.rows; ++row)
      std::copy_n(set.values.families[i].begin() + row * family.cols(), family.cols(),
                  matrix.values.begin() + row * matrix.cols() + first);
    first += family.cols();
  }
  return matrix;
}

}  // namespace tessera
