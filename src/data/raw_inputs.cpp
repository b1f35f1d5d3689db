// Raw parts of a data set, in memory, in its own files, or in an uncompressed copy.
#include "tessera/raw_inputs.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <utility>

#include "data/feature_store.h"
#include "data/scratch_file.h"
#include "data/stored_raw.h"
#include "tessera/cleaning.h"
#include "tessera/error.h"
#include "tessera/feature_data.h"
#include "tessera/files/npy.h"
#include "tessera/load_features.h"

namespace tessera {
namespace {

constexpr int64_t kBlockBytes = int64_t{64} << 20;
constexpr int64_t kChunkRows = 100;  // of HDF5 files of this layout: no chunk is unpacked twice

/// Families that give the layout its rows: those wanted, or any one where only grids are.
std::vector<std::string> families_to_open(const std::string& path, const RawSelection& wanted) {
  std::vector<std::string> names = wanted.families;
  names.insert(names.end(), wanted.series.begin(), wanted.series.end());
  if (!names.empty()) return names;
  const auto all = open_features(path, {}, FeatureParts::Families);
  const auto& families = all->layout().families;
  const auto columns = std::ranges::find(families, 0, &FeatureFamily::steps);
  return {columns == families.end() ? families.front().name : columns->name};
}

void check_layout(const FeatureLayout& layout, const RawSelection& wanted,
                  const std::string& path) {
  for (size_t i = 0; i < wanted.families.size(); ++i)
    require(layout.families[i].steps == 0, ErrorKind::Data, path, ": family ", wanted.families[i],
            " has rank 3, ", layout.families[i].steps, " steps of ", layout.families[i].cols(),
            " features; its encoder reads columns: give it one of series, "
            "such as TemporalCNNEncoder");
  for (size_t i = 0; i < wanted.series.size(); ++i) {
    const FeatureFamily& family = layout.families[wanted.families.size() + i];
    const FeatureFamily& first = layout.families[wanted.families.size()];
    require(family.steps > 0, ErrorKind::Data, path, ": family ", family.name, " has rank 2, ",
            family.cols(),
            " columns; its encoder reads series: give it one of columns, such as "
            "MLPEncoder or identity");
    require(family.steps == first.steps, ErrorKind::Data, path, ": family ", family.name, " has ",
            family.steps, " steps, ", first.name, " ", first.steps,
            "; a sample has one length for all its series: leave one of them out");
  }
  require(
      !wanted.grids || !layout.input_shape.empty(), ErrorKind::Data, path,
      ": holds no raw grids (/inputs/fields, or inputs/fields.npy in a folder), which an encoder "
      "of grids reads; give that family another encoder");
  require(layout.rows <= std::numeric_limits<int32_t>::max(), ErrorKind::Data, path, ": has ",
          layout.rows, " rows; at most 2147483647 can be used");
}

/// Which features of the series family number `i` of `wanted` are given out, by their place in the file.
std::vector<int32_t> chosen_features(const FeatureFamily& family, const RawSelection& wanted, size_t i,
                                     const std::string& path) {
  std::vector<int32_t> chosen;
  if (!wanted.series_features.empty()) {
    TESSERA_CHECK(!wanted.series_features[i].empty(), family.name, ": no feature is wanted");
    for (const std::string& name : wanted.series_features[i]) {
      const auto found = std::ranges::find(family.features, name);
      require(found != family.features.end(), ErrorKind::Data, path, ": the series ", family.name,
              " have no feature ", name, ", which the model was trained on; the first they have is ",
              family.features.front());
      chosen.push_back(static_cast<int32_t>(found - family.features.begin()));
    }
    return chosen;
  }
  for (size_t f = 0; f < family.features.size(); ++f)
    if (excluding_pattern(wanted.exclude, family.name + "/" + family.features[f]).empty())
      chosen.push_back(static_cast<int32_t>(f));
  require(!chosen.empty(), ErrorKind::Data, path, ": data.exclude_features takes out all ",
          family.features.size(), " features of the series ", family.name, "; leave some");
  return chosen;
}

/// Goes through a data set once: finds the rows that stay, gathers columns and lengths, and puts the raw
/// parts where they will be read from.
class RawOpening {
 public:
  RawOpening(const std::string& path, const RawSelection& wanted, int64_t memory,
             const std::string& scratch, std::optional<int64_t> max_rows)
      : path_(path),
        wanted_(wanted),
        source_(open_features(path, families_to_open(path, wanted))),
        layout_(source_->layout()) {
    check_layout(layout_, wanted, path);
    most_ = std::min(max_rows.value_or(layout_.rows), layout_.rows);
    make_parts();
    int64_t size = 0;
    for (const RawPart& part : raw_->parts) size += part.row_size;
    if (most_ * size * static_cast<int64_t>(sizeof(float)) <= memory) return;
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) read_in_place();
    copy_the_rest(scratch);
  }

  RawFeatures run(const RawProgress& progress) {
    const int64_t row_bytes = std::max<int64_t>(1, layout_.row_size()) * 4;
    int64_t block_rows = std::max<int64_t>(1, kBlockBytes / row_bytes);
    if (block_rows > kChunkRows) block_rows -= block_rows % kChunkRows;
    for (int64_t first = 0; first < layout_.rows && kept() < most_; first += block_rows) {
      const int64_t last = std::min(layout_.rows, first + block_rows);
      add(source_->read(first, last), first);
      if (progress)
        progress(last, layout_.rows, scratch_ ? "copying raw inputs" : "reading raw inputs");
    }
    require(kept() > 0, ErrorKind::Data, path_, ": none of its ", layout_.rows,
            " rows is filled; a data set needs at least one row that is not 0 everywhere");
    raw_->set_rows(kept());
    columns_.rows = kept();
    if (columns_.cols() > 0) check_features(columns_, path_);
    return {std::move(columns_), raw_, dropped_};
  }

 private:
  int64_t kept() const { return static_cast<int64_t>(raw_->file_rows.size()); }

  void make_parts() {
    std::vector<RawSeries> series;
    std::vector<RawPart> parts;
    if (wanted_.grids) parts.push_back(RawPart::of_grids(layout_.input_shape));
    for (size_t i = 0; i < wanted_.series.size(); ++i) {
      const FeatureFamily& family = layout_.families[wanted_.families.size() + i];
      RawSeries one{family.name, family.steps, {}, {}};
      const std::vector<int32_t> chosen = chosen_features(family, wanted_, i, path_);
      for (const int32_t f : chosen) one.features.push_back(family.features[static_cast<size_t>(f)]);
      for (const std::string& name : family.features)
        if (std::ranges::find(one.features, name) == one.features.end()) one.left_out.push_back(name);
      series.push_back(std::move(one));
      parts.push_back(RawPart::of_series(family.steps, family.cols(), chosen));
    }
    for (size_t i = 0; i < wanted_.families.size(); ++i)
      for (const std::string& feature : layout_.families[i].features) {
        columns_.names.push_back(layout_.families[i].name + "/" + feature);
        columns_.families.push_back(layout_.families[i].name);
      }
    raw_ = std::make_shared<StoredRaw>(
        path_, wanted_.grids ? layout_.input_shape : std::vector<int64_t>{}, series);
    raw_->parts = std::move(parts);
  }

  /// Parts of a folder whose files hold their rows as they are wanted.
  void read_in_place() {
    const auto store = open_feature_folder(path_);
    for (size_t i = 0; i < raw_->parts.size(); ++i) {
      const bool grids = i == 0 && wanted_.grids;
      const std::string file = store->where(
          grids ? store->inputs()
                : store->candidates(wanted_.series[i - (wanted_.grids ? 1 : 0)]).front());
      const NpyInfo info = probe_npy(file);
      if (info.dtype != DType::F32 || info.fortran_order || info.big_endian ||
          info.row_size() != raw_->parts[i].file_row_size)
        continue;
      raw_->parts[i].file = std::make_shared<FileSource>(file);
      raw_->parts[i].offset = static_cast<uint64_t>(info.data_offset);
      raw_->parts[i].every_row = true;
    }
  }

  /// Parts one after another in one scratch file.
  void copy_the_rest(const std::string& scratch) {
    uint64_t bytes = 0;
    std::vector<RawPart*> copied;
    for (RawPart& part : raw_->parts)
      if (!part.file) {
        part.offset = bytes;
        bytes += static_cast<uint64_t>(most_ * part.row_size) * sizeof(float);
        copied.push_back(&part);
      }
    if (copied.empty()) return;
    scratch_ = std::make_shared<ScratchFile>(scratch, bytes);
    for (RawPart* part : copied) part->file = scratch_;
  }

  void add(const FeatureBlock& block, int64_t first) {
    const int64_t before = kept();
    std::vector<int64_t> rows;
    for (int64_t row = 0; row < block.rows && kept() < most_; ++row) {
      const bool unfilled = is_unfilled(layout_, block, row);
      if (unfilled && !wanted_.keep_unfilled) {
        ++dropped_;
        continue;
      }
      rows.push_back(row);
      raw_->file_rows.push_back(static_cast<int32_t>(first + row));
      add_length(block, row, first + row, unfilled);
      for (size_t i = 0; i < wanted_.families.size(); ++i) {
        const int64_t cols = layout_.families[i].cols();
        const auto from = block.families[i].begin() + row * cols;
        columns_.values.insert(columns_.values.end(), from, from + cols);
      }
    }
    for (size_t i = 0; i < raw_->parts.size(); ++i) {
      const bool grids = i == 0 && wanted_.grids;
      const size_t family = wanted_.families.size() + i - (wanted_.grids ? 1 : 0);
      add_part(raw_->parts[i], grids ? block.inputs : block.families[family], rows, first, before);
    }
  }

  void add_length(const FeatureBlock& block, int64_t row, int64_t sample, bool unfilled) {
    const size_t columns = wanted_.families.size();
    const auto steps =
        static_cast<int32_t>(wanted_.series.empty() ? 0 : layout_.families[columns].steps);
    const bool given = layout_.has_lengths && !wanted_.series.empty() && !unfilled;
    const int32_t length = given ? block.lengths[static_cast<size_t>(row)] : steps;
    require(!given || length > 0, ErrorKind::Data, path_, ": sample ", sample,
            " has length 0; give it at least one step, or leave the sample out");
    raw_->lengths.push_back(length);
  }

  /// Rows of a block, made fit for use and stored from row `to` on.
  void add_part(RawPart& part, const std::vector<float>& block, const std::vector<int64_t>& rows,
                int64_t first, int64_t to) {
    std::vector<float> values(rows.size() * static_cast<size_t>(part.row_size));
    for (size_t n = 0; n < rows.size(); ++n) {
      const auto row = std::span(block).subspan(static_cast<size_t>(rows[n] * part.file_row_size),
                                                static_cast<size_t>(part.file_row_size));
      const auto into = std::span(values).subspan(n * static_cast<size_t>(part.row_size),
                                                  static_cast<size_t>(part.row_size));
      part.arrange(row, into.data());
      require(std::ranges::none_of(into, [](float x) { return std::isinf(x); }), ErrorKind::Data,
              path_, ": sample ", first + rows[n],
              " has an infinite value in its raw inputs; write NaN where a value is missing");
    }
    if (!part.file)
      part.values.insert(part.values.end(), values.begin(), values.end());
    else if (!part.every_row)
      scratch_->write(part.offset + static_cast<uint64_t>(to * part.row_size) * sizeof(float),
                      std::as_bytes(std::span(values)));
  }

  std::string path_;
  RawSelection wanted_;
  std::unique_ptr<FeatureSource> source_;
  FeatureLayout layout_;
  int64_t most_ = 0, dropped_ = 0;
  std::shared_ptr<StoredRaw> raw_;
  std::shared_ptr<ScratchFile> scratch_;
  FeatureMatrix columns_;
};

}  // namespace

RawFeatures open_raw_features(const std::string& path, const RawSelection& wanted,
                              std::optional<int64_t> max_rows, int64_t memory,
                              const std::string& scratch, const RawProgress& progress) {
  require(!path.empty(), ErrorKind::Config,
          "data.path is not given; name a file of features, or use --input");
  return RawOpening(path, wanted, memory, scratch, max_rows).run(progress);
}

}  // namespace tessera
