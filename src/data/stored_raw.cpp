#include "data/stored_raw.h"

#include <algorithm>
#include <utility>

#include "tessera/error.h"

namespace tessera {

RawPart RawPart::of_grids(const std::vector<int64_t>& shape) {
  RawPart part;
  part.channels = shape[0];
  part.row_size = part.file_row_size = shape[0] * shape[1] * shape[2];
  return part;
}

RawPart RawPart::of_series(int64_t steps, int64_t features, std::vector<int32_t> chosen) {
  RawPart part;
  part.features = features;
  part.row_size = steps * static_cast<int64_t>(chosen.size());
  part.file_row_size = steps * features;
  bool all = static_cast<int64_t>(chosen.size()) == features;
  for (size_t i = 0; all && i < chosen.size(); ++i) all = chosen[i] == static_cast<int32_t>(i);
  if (!all) part.chosen = std::move(chosen);
  return part;
}

void RawPart::arrange(std::span<const float> row, float* into) const {
  if (channels > 1) {  // [channels, pixels] to [pixels, channels]
    const int64_t pixels = row_size / channels;
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t p = 0; p < pixels; ++p)
        into[p * channels + c] = row[static_cast<size_t>(c * pixels + p)];
  } else if (!chosen.empty()) {
    for (int64_t at = 0; at < file_row_size; at += features)
      for (const int32_t f : chosen) *into++ = row[static_cast<size_t>(at + f)];
  } else {
    std::ranges::copy(row, into);
  }
}

void RawPart::read(int64_t row, int64_t row_of_file, float* into) const {
  const auto size = static_cast<size_t>(row_size);
  if (!file) {
    std::copy_n(values.data() + row * row_size, size, into);
    return;
  }
  const bool as_it_is = !every_row || (channels <= 1 && chosen.empty());
  std::vector<float> whole(as_it_is ? 0 : static_cast<size_t>(file_row_size));
  const auto target = as_it_is ? std::span(into, size) : std::span(whole);
  const auto bytes = std::as_writable_bytes(target);
  file->read(offset + static_cast<uint64_t>(every_row ? row_of_file : row) * bytes.size(), bytes);
  if (!as_it_is) arrange(whole, into);
}

StoredRaw::StoredRaw(const std::string& path, std::vector<int64_t> grid_shape,
                     std::vector<RawSeries> series) {
  path_ = path;
  grid_shape_ = std::move(grid_shape);
  series_ = std::move(series);
}

RawBatch StoredRaw::read(std::span<const int32_t> rows) const {
  RawBatch batch;
  batch.rows = static_cast<int64_t>(rows.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    std::vector<float> values(rows.size() * static_cast<size_t>(parts[i].row_size));
    for (size_t n = 0; n < rows.size(); ++n) {
      TESSERA_CHECK(rows[n] >= 0 && rows[n] < rows_, "raw row ", rows[n], " of ", rows_);
      parts[i].read(rows[n], file_rows[static_cast<size_t>(rows[n])],
                    values.data() + static_cast<int64_t>(n) * parts[i].row_size);
    }
    if (i == 0 && !grid_shape_.empty())
      batch.grids = std::move(values);
    else
      batch.series.push_back(std::move(values));
  }
  for (const int32_t row : rows) batch.lengths.push_back(lengths[static_cast<size_t>(row)]);
  return batch;
}

}  // namespace tessera
