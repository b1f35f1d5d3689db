#pragma once

// What both forms of a data set give; feature_store.cpp makes a FeatureSource of it.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tessera/feature_data.h"

namespace tessera {

using Shape = std::vector<int64_t>;

/// Arrays by name, as far as data sets need them.
class FeatureStore {
 public:
  virtual ~FeatureStore() = default;

  /// "run.h5:/inputs/fields"
  virtual std::string where(const std::string& array) const = 0;
  /// Nothing where there is no such array.
  virtual std::optional<Shape> shape(const std::string& array) const = 0;
  /// Rows [first, last) as floats.
  virtual std::vector<float> read(const std::string& array, int64_t first, int64_t last) const = 0;

  /// Families in the order of the file.
  virtual std::vector<std::string> families() const = 0;
  /// Arrays that may hold a family, in order of preference.
  virtual std::vector<std::string> candidates(const std::string& family) const = 0;
  /// Names of a family's features or, for "", of the parameters; empty where the file has none.
  virtual std::vector<std::string> names(const std::string& family) const = 0;
  virtual std::string inputs() const = 0;
  virtual std::string parameters() const = 0;
  virtual std::string lengths() const = 0;
};

std::unique_ptr<FeatureStore> open_feature_folder(const std::string& path);
std::unique_ptr<FeatureStore> open_hdf5_features(const std::string& path);

std::unique_ptr<FeatureWriter> create_feature_folder(const std::string& path,
                                                     const FeatureLayout& layout,
                                                     const std::string& config);
std::unique_ptr<FeatureWriter> create_hdf5_features(const std::string& path,
                                                    const FeatureLayout& layout,
                                                    const std::string& config);

/// Whether a row was never filled (FeatureStream).
bool is_unfilled(const FeatureLayout& layout, const FeatureBlock& block, int64_t row);

/// One part of a data set as writers see it.
struct FeaturePart {
  enum Kind { Family, Inputs, Parameters, Lengths } kind;
  size_t family = 0;  ///< of that kind: its number
  Shape shape;        ///< of the whole array
};
/// The parts of a layout: families in order, then inputs, parameters and lengths where they are.
std::vector<FeaturePart> parts_of(const FeatureLayout& layout);
/// The bytes of one part of a block: floats, or 32-bit integers for lengths.
std::span<const std::byte> bytes_of(const FeatureBlock& block, const FeaturePart& part);

}  // namespace tessera
