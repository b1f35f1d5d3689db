#pragma once

#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tessera/feature_matrix.h"

namespace tessera {

/// One family of features: [samples, features], or [samples, steps, features].
struct FeatureFamily {
  std::string name;                   ///< "temporal"
  int64_t steps = 0;                  ///< of rank 3; 0 for rank 2
  std::vector<std::string> features;  ///< names, unique in the family

  int64_t cols() const { return static_cast<int64_t>(features.size()); }
  int64_t row_size() const { return (steps > 0 ? steps : 1) * cols(); }
};

/// What a data set holds. Row n of every part belongs to sample n.
struct FeatureLayout {
  int64_t rows = 0;
  std::vector<FeatureFamily> families;  ///< in the order asked for
  std::vector<int64_t> input_shape;  ///< of one raw input: [channels, height, width]; empty: none
  std::vector<std::string> parameters;  ///< names; empty: none
  bool has_lengths = false;             ///< steps of each sample's series that mean something

  int64_t input_size() const;  ///< values of one raw input; 0 where there are none
  int64_t row_size() const;    ///< values of one sample over all parts
};

/// Some consecutive samples, row-major.
struct FeatureBlock {
  int64_t rows = 0;
  std::vector<std::vector<float>> families;  ///< rows x row_size() of each
  std::vector<float> inputs, parameters;
  std::vector<int32_t> lengths;
};

/// Samples with all their parts.
struct FeatureSet {
  FeatureLayout layout;
  FeatureBlock values;
  int64_t dropped = 0;  ///< rows of the file that were left out because they were never filled
};

/// A data set in a file; rows are read on demand, by one thread at a time.
///
/// Two forms hold the same data. An HDF5 file: /features/<family>/features (or aggregated/features,
/// or per_trajectory/features [samples, trajectories, features], which becomes one row of all
/// trajectories, preferred over aggregated), /inputs/fields, /parameters/params, /metadata/lengths.
/// A folder: features/<family>.npy, inputs/fields.npy, parameters/params.npy, lengths.npy,
/// names.json. Names come from the attribute feature_registry or names.json, else they are
/// <family>_<i>.
/// Inputs of rank 3 get one channel; those of rank 5, [samples, trajectories, channels, height,
/// width], are averaged over trajectories.
class FeatureSource {
 public:
  virtual ~FeatureSource() = default;

  const std::string& path() const { return path_; }
  const FeatureLayout& layout() const { return layout_; }

  /// Rows [first, last), unfilled ones included.
  /// Throws Error (Data) where they cannot be read.
  virtual FeatureBlock read(int64_t first, int64_t last) const = 0;

 protected:
  FeatureSource(std::string path, FeatureLayout layout)
      : path_(std::move(path)), layout_(std::move(layout)) {}

 private:
  std::string path_;
  FeatureLayout layout_;
};

/// Whether a data set is opened with what lies beside its families: inputs, parameters, lengths.
enum class FeatureParts { All, Families };

/// Opens a data set. `families` in the order wanted; empty: all, in the order of the file.
/// Throws Error (Data), naming the data set in the file, what was found and what is expected, for a
/// missing file or family, a wrong rank, unequal rows, names that do not fit, and a file that is
/// neither or is cut off.
std::unique_ptr<FeatureSource> open_features(const std::string& path,
                                             const std::vector<std::string>& families = {},
                                             FeatureParts parts = FeatureParts::All);

/// Goes through a data set larger than memory: while one block is in use a thread reads the next.
/// Rows that were never filled are dropped from all parts alike: those whose raw input is 0
/// everywhere, and those of which any one family is (0 or missing) everywhere.
class FeatureStream {
 public:
  /// `block_rows` rows at a time; 0: as many as take 64 MiB, at least one.
  explicit FeatureStream(const FeatureSource& source, int64_t block_rows = 0);
  ~FeatureStream();
  FeatureStream(const FeatureStream&) = delete;
  FeatureStream& operator=(const FeatureStream&) = delete;

  /// The next block, without unfilled rows (it may be left empty by that); nothing at the end.
  std::optional<FeatureBlock> next();
  int64_t dropped() const { return dropped_; }  ///< so far

 private:
  void fetch();

  const FeatureSource& source_;
  int64_t block_rows_, next_row_ = 0, dropped_ = 0;
  std::future<FeatureBlock> ahead_;
};

/// All rows in memory; `max_rows` keeps the first so many of the file.
/// Throws Error (Data) as open_features, and where no row is filled.
FeatureSet load_features(const FeatureSource& source, std::optional<int64_t> max_rows = {});

/// The families of rank 2 as one matrix with columns "family/feature", in the order of the layout.
FeatureMatrix feature_matrix(const FeatureSet& set);

/// Writes a data set block by block; it appears whole or not at all.
class FeatureWriter {
 public:
  virtual ~FeatureWriter() = default;
  /// The next samples. Throws Error (Data) with the system's reason, for instance a full disk.
  void append(const FeatureBlock& block);
  /// Makes the data set appear. Throws Error (Internal) unless exactly layout().rows were appended.
  void commit();
  const FeatureLayout& layout() const { return layout_; }

 protected:
  explicit FeatureWriter(FeatureLayout layout) : layout_(std::move(layout)) {}

 private:
  virtual void append_rows(const FeatureBlock& block, int64_t first) = 0;
  virtual void finish() = 0;

  FeatureLayout layout_;
  int64_t rows_ = 0;
};

/// `path` ending in .h5 or .hdf5 is written as HDF5 (gzip 4 after shuffling bytes, chunks of 100
/// samples; an old file is replaced), any other as a folder, which must not hold anything yet.
/// `config` is JSON that says how the data were made.
std::unique_ptr<FeatureWriter> create_features(const std::string& path, const FeatureLayout& layout,
                                               const std::string& config = "{}");

}  // namespace tessera
